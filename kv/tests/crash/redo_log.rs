//! Commits by a redo log: power cuts while the log goes round, readers stay and checkpoints are made; what the log must not
//! be taken for; and a crash while it is replayed.

use std::sync::Arc;
use std::time::Duration;

use kv::{Durability, Error, Options};
use kv_testkit::Random;
use kv_testkit::budget::seed;
use kv_testkit::figure::Figure;
use kv_testkit::program::Settings;
use pagefile_std::MemStore;
use pagefile_std::sim::SimOptions;

use crate::budget::Goals;
use crate::config::{
    ALL_CONFIGS, Base, Changes, PAGE_SIZE, deletes, filled, puts, random_changes, random_transactions,
};
use crate::failed_sync::{KERNELS, fail_sync};
use crate::judge::{Judge, Moment, strategy};
use crate::reach::{is_marked_file, seal_unit};
use crate::run::Run;
use crate::second_order::recover;

fn logged() -> [Settings; 2] {
    [ALL_CONFIGS[6], ALL_CONFIGS[7]]
}

/// Some keys, and a value that fills pages by itself.
fn base(config: Settings, closed: bool) -> Base {
    Base::of(config, &[filled(30, 60), puts("a", 40, 1, 3000)], closed)
}

/// Changes of a few pages, most of them small enough for the log.
fn small_changes(run: &Run, random: &mut Random) -> Changes {
    match random.below(6) {
        // Up to two blocks of the log, which may lie at both of its ends.
        0 => puts("a", random.below(40), 1 + random.below(4), 1500),
        1 => deletes("a", random.below(30), 4),
        2 => random_changes(run.model(), random),
        _ => puts("a", random.below(40), 1, 50),
    }
}

/// Whether the last of these moments has other metas than the first: the commit between them was no entry of the log.
fn metas_changed(moments: &[Moment]) -> bool {
    let metas = |moment: &Moment| moment.epoch.durable()[..2 * PAGE_SIZE as usize].to_vec();
    moments.first().map(metas) != moments.last().map(metas)
}

#[test]
fn a_log_that_goes_round_loses_nothing_wherever_it_is_cut() {
    let goal = Goals::of_this_run().second_order;
    let figure = Figure::new("states of the redo log opened", goal);
    let (logs, all) = (std::sync::atomic::AtomicU64::new(0), std::sync::atomic::AtomicU64::new(0));
    figure.each(Judge::new, |judge, number| {
        let before = judge.opened;
        let mut random = Random::of(seed(), number);
        let config = *random.pick(&logged());
        let mut run = Run::on(config, &base(config, random.one_in(2)), SimOptions::default());
        run.open().expect("a whole file opens");
        run.moments(&[]);
        for commit in 0..60 {
            let changes = small_changes(&run, &mut random);
            let moments = run.step(|run| run.commit(&changes).expect("nothing fails")).1;
            let by_log = u64::from(!metas_changed(&moments));
            logs.fetch_add(by_log, std::sync::atomic::Ordering::Relaxed);
            all.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            for moment in &moments {
                let judged = judge.some(config, moment, &strategy(4, 4, seed() ^ number), 4);
                judged.unwrap_or_else(|wrong| panic!("commit {commit}: an image {wrong}"));
            }
            match random.below(12) {
                0 | 1 => run.hold(),
                2 => run.release(),
                3 => run.shrink().expect("nothing fails"),
                _ => {}
            }
            assert!(run.shows_what_was_acknowledged());
        }
        run.release();
        run.close().expect("nothing fails");
        judge.opened - before
    });
    let (logs, all) = (logs.into_inner(), all.into_inner());
    assert!(logs * 2 > all, "most commits are one entry of the log: {logs} of {all}");
    figure.tell(&format!(", {logs} of {all} commits by the log alone"));
}

/// Commits that wait for one durable write, which brings all of them: whatever a power cut leaves is a state that there was, and
/// not one from before the last sync.
#[test]
fn commits_that_share_a_write_are_lost_from_the_newest_on() {
    let goal = Goals::of_this_run().second_order.div_ceil(4);
    let (mut judge, mut writes, mut commits, mut number) = (Judge::new(), 0, 0, 0);
    while judge.opened < goal {
        let mut random = Random::of(seed(), number);
        let logged = *random.pick(&logged());
        // Nothing but a sync, a checkpoint or too many of them writes what is queued.
        let config = Settings { durability: Durability::Eventual(Duration::from_secs(3600)), ..logged };
        let mut run = Run::on(config, &base(logged, random.one_in(2)), SimOptions::default());
        run.open().expect("a whole file opens");
        run.moments(&[]);
        let mut judged = |run: &mut Run, step: &mut dyn FnMut(&mut Run)| {
            let ((), moments) = run.step(|run| step(run));
            for moment in &moments {
                let judged = judge.some(logged, moment, &strategy(4, 4, seed() ^ number), 4);
                judged.unwrap_or_else(|wrong| panic!("run {number}: an image {wrong}"));
            }
            assert!(run.shows_what_was_acknowledged());
            moments.len() as u64 - 1
        };
        for _ in 0..40 {
            let changes = small_changes(&run, &mut random);
            commits += 1;
            writes += judged(&mut run, &mut |run| run.commit(&changes).expect("nothing fails"));
            match random.below(16) {
                0..=2 => writes += judged(&mut run, &mut |run| run.sync().expect("nothing fails")),
                3 => writes += judged(&mut run, &mut |run| run.shrink().expect("nothing fails")),
                4 => run.hold(),
                5 => run.release(),
                _ => {}
            }
        }
        run.release();
        let before = run.allowed.clone();
        run.close().expect("nothing fails");
        for moment in run.moments(&before) {
            let judged = judge.some(logged, &moment, &strategy(4, 4, seed() ^ number), 8);
            judged.unwrap_or_else(|wrong| panic!("run {number}: an image {wrong}"));
        }
        number += 1;
    }
    println!("\n{} images, {commits} commits, {writes} syncs and durable writes", judge.opened);
}

/// The log is replayed into pages that are free, and the power fails meanwhile: again and again, from each state that that
/// leaves.
#[test]
fn a_replay_that_is_cut_begins_again() {
    let mut judge = Judge::new();
    for (number, &config) in logged().iter().enumerate() {
        let mut random = Random::of(seed(), number as u64);
        let mut run = Run::on(config, &base(config, true), SimOptions::default());
        run.open().expect("a whole file opens");
        for key in 0..6 {
            run.commit(&puts("a", key * 5, 3, 400)).expect("nothing fails");
        }
        let moment = run.moments(&[]).pop().expect("the epoch of now");
        let mut left = Base { bytes: moment.epoch.durable().to_vec(), allowed: moment.allowed };
        for _ in 0..8 {
            let mut run = Run::on(config, &left, SimOptions::default());
            let moments = run.step(|run| run.open().expect("what a crash leaves opens")).1;
            for moment in &moments {
                let judged = judge.some(config, moment, &strategy(5, 10, seed()), 30);
                judged.unwrap_or_else(|wrong| panic!("an image {wrong}"));
            }
            // A moment inside the replay is where the next crash finds the file.
            let inside = random.below(moments.len());
            left = Base { bytes: moments[inside].epoch.durable().to_vec(), allowed: moments[inside].allowed.clone() };
        }
        recover(&mut Run::on(config, &left, SimOptions::default()), &mut random, &mut judge, 10);
    }
    println!("\n{} images inside replays", judge.opened);
}

/// The log's own writes and syncs, and those of checkpoints.
#[test]
fn no_failed_sync_of_a_log_loses_anything() {
    let (images, syncs) = failed_syncs(logged());
    assert!(syncs > 6 * 2 * 14, "{syncs} syncs: one for each commit at least");
    println!("\n{images} images after {syncs} failed syncs of a log");
}

/// The same where commits become durable later: what was synced is there, and no commit without those before it.
#[test]
fn no_failed_sync_of_what_is_queued_loses_what_was_synced() {
    let eventual = Durability::Eventual(Duration::from_secs(3600));
    let (images, syncs) = failed_syncs(logged().map(|logged| Settings { durability: eventual, ..logged }));
    assert!(syncs > 6 * 2 * 4, "{syncs} syncs: one for three commits at least");
    println!("\n{images} images after {syncs} failed syncs of what was queued");
}

/// Each sync of a few commits fails, in each kernel, and the program goes on or opens the file again. How many images were
/// judged, and how many syncs there were.
fn failed_syncs(configs: [Settings; 2]) -> (u64, usize) {
    let (mut judge, mut syncs) = (Judge::new(), 0);
    for (number, (&config, logged)) in configs.iter().zip(logged()).enumerate() {
        let mut random = Random::of(seed(), number as u64);
        let base = base(logged, number == 0);
        let program = random_transactions(base.allowed[0].model.clone(), 14, &mut random);
        for kernel in KERNELS {
            for reopen in [false, true] {
                let fails = |nth: &u64, judge: &mut Judge| {
                    fail_sync((config, &base, &program), (*nth, kernel, reopen), 24, judge)
                };
                syncs += (1..1000).take_while(|nth| fails(nth, &mut judge)).count();
            }
        }
    }
    (judge.opened, syncs)
}

/// A file with a checkpoint and four units after it: its bytes, and where the units lie.
fn four_units() -> (Vec<u8>, usize) {
    let config = ALL_CONFIGS[6];
    let store = Arc::new(MemStore::new());
    let db = config.options().open_store(Box::new(Arc::clone(&store))).unwrap();
    db.update(|tx| tx.create_bucket("a").map(drop)).unwrap();
    db.checkpoint().unwrap();
    let checkpoint = store.snapshot();
    for number in 0..4u8 {
        db.update(|tx| tx.bucket_mut("a")?.put([number], [number; 9])).unwrap();
    }
    let bytes = store.snapshot();
    let page = PAGE_SIZE as usize;
    let first = bytes.chunks(page).zip(checkpoint.chunks(page)).position(|(now, then)| now != then);
    (bytes, first.expect("the first unit") * page)
}

fn opened(bytes: &[u8]) -> Result<usize, Error> {
    let options = Options::new().page_size(PAGE_SIZE);
    let db = options.open_store(Box::new(MemStore::with_bytes(bytes)))?;
    let tx = db.begin_read();
    Ok(tx.bucket("a")?.iter().count())
}

#[test]
fn a_unit_after_a_hole_is_not_taken_and_told() {
    let (bytes, first) = four_units();
    assert_eq!(opened(&bytes).unwrap(), 4);
    for unit in 0..3 {
        let mut damaged = bytes.clone();
        damaged[first + unit * 4096 + 50] ^= 4;
        assert!(matches!(opened(&damaged), Err(Error::Corrupt { .. })), "unit {unit}");
        // As if it had never been written.
        damaged[first + unit * 4096..][..4096].fill(0);
        assert!(matches!(opened(&damaged), Err(Error::Corrupt { .. })), "unit {unit}");
    }
    let mut torn = bytes;
    torn[first + 3 * 4096 + 50] ^= 4;
    assert_eq!(opened(&torn).unwrap(), 3, "the last one may have been under way");
}

/// A whole unit of this life and of this place, which comes after another history than the one that is there.
#[test]
fn a_unit_that_is_not_chained_to_those_before_it_is_not_taken() {
    let (bytes, first) = four_units();
    for unit in 1..4 {
        let mut forged = bytes.clone();
        let block = &mut forged[first + unit * 4096..][..4096];
        block[24] ^= 1;
        seal_unit(block);
        assert!(matches!(opened(&forged), Err(Error::Corrupt { .. })), "unit {unit}");
    }
    let mut same = bytes;
    seal_unit(&mut same[first..first + 4096]);
    assert_eq!(opened(&same).unwrap(), 4, "this is how a unit is sealed");
}

/// The log lies where that of an earlier life was, whose units are whole and in order.
#[test]
fn units_of_an_earlier_life_are_not_taken() {
    let config = ALL_CONFIGS[6];
    let (bytes, first) = four_units();
    let store = Arc::new(MemStore::with_bytes(&bytes));
    let db = config.options().open_store(Box::new(Arc::clone(&store))).unwrap();
    db.update(|tx| tx.bucket_mut("a")?.put([9], "now")).unwrap();
    let mut now = store.snapshot();
    let log = usize::try_from(u64::from_le_bytes(now[72..80].try_into().unwrap())).unwrap() * PAGE_SIZE as usize;
    // As if the disk had kept what was there before: each is the second unit of its life.
    now[log + 4096..log + 8192].copy_from_slice(&bytes[first..first + 4096]);
    assert_eq!(opened(&now).unwrap(), 5);
}

#[test]
fn a_transaction_that_outlives_the_handle_ends_the_log() {
    for commits in [true, false] {
        let store = Arc::new(MemStore::new());
        let db = ALL_CONFIGS[6].options().open_store(Box::new(Arc::clone(&store))).unwrap();
        db.update(|tx| tx.create_bucket("a").map(drop)).unwrap();
        let mut tx = db.begin_write_owned().unwrap();
        tx.bucket_mut("a").unwrap().put("key", "value").unwrap();
        drop(db);
        assert!(is_marked_file(&store.snapshot(), PAGE_SIZE), "the transaction may still be committed");
        if commits {
            tx.commit().unwrap();
        } else {
            drop(tx);
        }
        assert!(!is_marked_file(&store.snapshot(), PAGE_SIZE), "the file is bbolt's again");
        assert_eq!(opened(&store.snapshot()).unwrap(), usize::from(commits));
    }
}
