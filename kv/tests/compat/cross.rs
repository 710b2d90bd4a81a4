//! Random programs run by kv, by bbolt and on the naive model: the same
//! outcomes, the same content, and files that the other engine works on.

use std::fs;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use kv_testkit::bbolt_leak::defeats_bbolt;
use kv_testkit::budget::number;
use kv_testkit::case::{Case, Turn};
use kv_testkit::engine::{self, dump_file};
use kv_testkit::figure::print;
use kv_testkit::generate::case;
use kv_testkit::parse;
use kv_testkit::peer::Peer;
use kv_testkit::program::program_text;
use kv_testkit::shrink::shrink;

use crate::fixtures::{self, FIXTURES, database};

const FOUND: [(&str, &str); 3] = [
    ("first-key", include_str!("found/first-key.txt")),
    ("only-child", include_str!("found/only-child.txt")),
    ("empty-leaves", include_str!("found/empty-leaves.txt")),
];

/// Programs of one test, without `KV_CROSS_PROGRAMS`.
const PROGRAMS: u64 = 200;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Engine {
    Kv,
    Bbolt,
}

/// Who does the turns on one file, over and over.
type Rota = &'static [Engine];

/// Two files, each written by both in turn.
const BY_TURNS: &[Rota] = &[&[Engine::Kv, Engine::Bbolt], &[Engine::Bbolt, Engine::Kv]];
/// What only kv can be asked to do.
const KV_ALONE: &[Rota] = &[&[Engine::Kv]];

beside_each_bbolt!(
    both_engines_run_the_same_programs_and_continue_each_others_files,
    both_engines_write_on_in_real_files_by_turns,
    bbolt_finds_no_fault_where_it_would_itself_leak_pages,
    programs_that_found_a_defect_find_none
);

fn both_engines_run_the_same_programs_and_continue_each_others_files(peer: &mut Peer) {
    run_cases(peer, &[None], BY_TURNS, number("KV_CROSS_PROGRAMS", PROGRAMS));
}

fn both_engines_write_on_in_real_files_by_turns(peer: &mut Peer) {
    run_cases(peer, &FIXTURES.map(Some), BY_TURNS, number("KV_CROSS_PROGRAMS", PROGRAMS) / 10);
}

/// Deleting a bucket that was written in the same transaction leaks pages in
/// bbolt (see `kv_testkit::bbolt_leak`); bbolt checks here that it does not in kv.
fn bbolt_finds_no_fault_where_it_would_itself_leak_pages(peer: &mut Peer) {
    run_cases(peer, &[None], KV_ALONE, number("KV_CROSS_PROGRAMS", PROGRAMS) / 4);
}

/// What once failed: see `found/README.md`.
fn programs_that_found_a_defect_find_none(peer: &mut Peer) {
    for (name, text) in FOUND {
        let case = parse::case(text);
        play(&case, None, &[BY_TURNS, KV_ALONE].concat(), peer).unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
}

/// Runs the cases of `count` seeds, which begin with the fixtures in turn.
/// `KV_CROSS_SEED` is the first seed, so that a failure is run again alone.
fn run_cases(first_peer: &mut Peer, fixtures: &[Option<&'static str>], rotas: &[Rota], count: u64) {
    let first = number("KV_CROSS_SEED", 1);
    // Past the harness's capture: the seeds are of use when all is well, too.
    let _ = writeln!(std::io::stderr(), "{count} programs, seeds from {first} on");
    let began = Instant::now();
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::new());
    let work = |peer: &mut Peer| {
        while failures.lock().expect("no panic while it is held").is_empty() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed - first >= count {
                break;
            }
            let index = usize::try_from(seed).expect("a small number") % fixtures.len();
            if let Err(report) = run_case(seed, fixtures[index], rotas, peer) {
                failures.lock().expect("no panic while it is held").push(report);
            }
        }
    };
    thread::scope(|scope| {
        let others = thread::available_parallelism().map_or(1, usize::from).min(8) - 1;
        for _ in 0..others {
            let mut peer = first_peer.another();
            scope.spawn(move || work(&mut peer));
        }
        work(first_peer);
    });
    let failures = failures.into_inner().expect("the threads have ended");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    print(&format!("programs run beside bbolt {}", first_peer.version), count, "", first, began);
}

/// Runs the case of a seed; a failure comes with the smallest program found that
/// shows it.
fn run_case(seed: u64, fixture: Option<&'static str>, rotas: &[Rota], peer: &mut Peer) -> Result<(), String> {
    let for_bbolt = rotas.iter().any(|rota| rota.contains(&Engine::Bbolt));
    let whole = case(seed, fixture.map(fixtures::model).unwrap_or_default(), for_bbolt);
    let mut fails = |case: &Case| {
        if for_bbolt && defeats_bbolt(case) {
            return None;
        }
        play(case, fixture, rotas, peer).err()
    };
    let Some(failure) = fails(&whole) else { return Ok(()) };
    let (small, failure) = shrink(whole, failure, fails);
    let begun = fixture.map_or_else(String::new, |name| format!(" on {name}"));
    Err(format!("seed {seed} (run again from it with KV_CROSS_SEED={seed}){begun}: {failure}\n{small}"))
}

/// Plays a case on one file for each rota; the error says where it fails first.
fn play(case: &Case, fixture: Option<&str>, rotas: &[Rota], peer: &mut Peer) -> Result<(), String> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut model = case.start.clone();
    let files: Vec<_> = (0..rotas.len()).map(|number| directory.path().join(format!("{number}.db"))).collect();
    for path in &files {
        fixture.map(|name| fs::copy(database(name), path).expect("the fixture is there"));
    }
    for (number, turn) in case.turns.iter().enumerate() {
        let outcomes = model.run(&turn.program);
        let content = model.dump();
        for (path, rota) in files.iter().zip(rotas) {
            let engine = rota[number % rota.len()];
            let played = catch_unwind(AssertUnwindSafe(|| {
                play_turn(path, engine, turn, &outcomes, peer)?;
                inspect(path, &content, peer)
            }));
            played
                .unwrap_or_else(|_| Err("a panic, see above".into()))
                .map_err(|failure| format!("turn {}, {engine:?}, rota {rota:?}: {failure}", number + 1))?;
        }
    }
    Ok(())
}

fn play_turn(path: &Path, engine: Engine, turn: &Turn, expected: &[String], peer: &mut Peer) -> Result<(), String> {
    let outcomes = match engine {
        Engine::Kv => engine::run(path, turn.settings, &turn.program)?,
        Engine::Bbolt => peer.run(path, turn.settings, &turn.program)?,
    };
    for ((line, outcome), expected) in program_text(&turn.program).lines().zip(&outcomes).zip(expected) {
        if outcome != expected {
            return Err(format!("`{line}` answered `{outcome}`, not `{expected}`"));
        }
    }
    assert_eq!(outcomes.len(), expected.len(), "one outcome a line");
    Ok(())
}

/// Both engines find the file sound and show the expected content.
fn inspect(path: &Path, content: &str, peer: &mut Peer) -> Result<(), String> {
    peer.check(path).map_err(|problems| format!("bbolt's check: {problems}"))?;
    engine::check(path).map_err(|problems| format!("kv's check: {problems}"))?;
    same_text("bbolt's dump", &peer.dump(path)?, content)?;
    same_text("kv's dump", &dump_file(path).map_err(|error| format!("kv's dump: {error}"))?, content)
}

/// The error is the first line that differs.
pub(crate) fn same_text(what: &str, text: &str, expected: &str) -> Result<(), String> {
    if text == expected {
        return Ok(());
    }
    let (mut lines, mut others) = (text.lines(), expected.lines());
    loop {
        let (line, other) = (lines.next(), others.next());
        if line != other {
            let [line, other] = [line, other].map(|line| line.unwrap_or("(the end)"));
            return Err(format!("{what} has\n{line}\nwhere is expected\n{other}"));
        }
        if line.is_none() {
            return Err(format!("{what} differs in its line ends"));
        }
    }
}
