//! Every program up to a size: most crash bugs of file systems show within three operations on a fresh one (Mohan et
//! al., "Finding Crash-Consistency Bugs with Bounded Black-Box Crash Testing", OSDI 2018).

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

use kv::{Durability, FreelistSync};
use kv_testkit::budget::seed;
use kv_testkit::figure::Figure;
use kv_testkit::program::{Action, Settings, path};
use pagefile_std::sim::SimOptions;

use crate::budget::Goals;
use crate::config::{ALL_CONFIGS, Base, Changes, LONG, deletes, filled, on, puts};
use crate::judge::{Judge, Moment, strategy};
use crate::run::Run;

/// Three operations, and a file on which they make the tree do something.
struct Family {
    base: Vec<Changes>,
    ops: [Changes; 3],
}

fn create(bucket: &str) -> Changes {
    on(bucket, Action::Create)
}

fn families() -> [Family; 6] {
    let two_buckets = [create("a"), create("b"), create("a/x"), puts("a/x", 0, 12, 90)].concat();
    [
        // A value with overflow pages comes, is replaced by a small one, and goes.
        Family { base: vec![filled(1, 20)], ops: [puts("a", 1, 1, 2500), puts("a", 1, 1, 20), deletes("a", 1, 1)] },
        // Leaves that are full: one more key splits them, fewer merge them.
        Family { base: vec![filled(14, 120)], ops: [puts("a", 20, 6, 120), deletes("a", 0, 6), deletes("a", 6, 12)] },
        // A root branch of few long keys: the tree grows a level and loses it.
        Family {
            base: vec![[create("a"), puts("a", LONG, 10, 300)].concat()],
            ops: [puts("a", LONG + 10, 10, 300), deletes("a", LONG, 16), puts("a", LONG + 5, 1, 900)],
        },
        // A bucket is inline, outgrows that, and shrinks back into it.
        Family {
            base: vec![[create("a"), create("a/x")].concat()],
            ops: [puts("a/x", 0, 1, 30), puts("a/x", 1, 3, 300), deletes("a/x", 1, 3)],
        },
        // Buckets with pages of their own move, come and go.
        Family {
            base: vec![two_buckets],
            ops: [on("a/x", Action::Move(path("b"))), on("a", Action::DeleteBucket), create("a")],
        },
        // The file ends at 32 KiB, and grows.
        Family {
            base: vec![filled(50, 480)],
            ops: [puts("a", 60, 4, 480), on("a", Action::NextSequence), deletes("a", 10, 5)],
        },
    ]
}

/// All sequences of one to `max` of these, the short ones first.
fn sequences<T: Clone>(of: &[T], max: usize) -> Vec<Vec<T>> {
    let mut all: Vec<Vec<T>> = Vec::new();
    let mut longest = vec![Vec::new()];
    for _ in 0..max {
        longest = longest
            .iter()
            .flat_map(|start: &Vec<T>| {
                of.iter().map(move |next| [start.as_slice(), std::slice::from_ref(next)].concat())
            })
            .collect();
        all.extend_from_slice(&longest);
    }
    all
}

/// A family on one kind of database, while its programs run.
struct Small {
    config: Settings,
    base: Base,
    /// The moments that programs have come to so far.
    seen: Mutex<HashSet<u64>>,
}

/// What makes two moments the same: then their images are, and what they may be compared with.
fn fingerprint(moment: &Moment) -> u64 {
    let mut hasher = DefaultHasher::new();
    // The whole disk, by a faster hash, 64 bits at a time.
    let words = moment.epoch.durable().chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight")));
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    words.fold(0, mix).hash(&mut hasher);
    moment.epoch.in_flight().for_each(|write| write.hash(&mut hasher));
    moment.epoch.ended_by().hash(&mut hasher);
    moment.allowed.iter().for_each(|state| state.model.hash(&mut hasher));
    hasher.finish()
}

/// Whether every operation changes something. A program with one that does not is the same as a shorter program.
fn does_all(base: &Base, program: &[&Vec<Changes>]) -> bool {
    let mut model = base.allowed[0].model.clone();
    let mut changes = |op: &Changes| op.iter().filter(|command| model.execute(command).is_change()).count() > 0;
    program.iter().all(|transaction| transaction.iter().all(&mut changes))
}

/// Images of a moment where pages were written before the commit: nearly every program has moments of its own then, and
/// each has hundreds of images. Random programs show all of some such moments.
const OF_EARLY: u64 = 6;

/// Images of a moment where commits write a log: its pages make subsets of what is in flight many times as many. A log
/// remembers what went before, so no two programs leave the same moment: programs have a transaction less there.
const OF_LOGGED: u64 = 20;

/// The same beside a redo log, whose beginning and end make many moments of each program.
const OF_REDO: u64 = 6;

/// Whether what a file has depends on what went before: the log of the free space, and a redo log.
fn remembers(config: Settings) -> bool {
    config.freelist_sync == FreelistSync::Log || config.durability == Durability::Log
}

/// Runs one program, and judges what its last transaction and its end leave behind, unless another program left the
/// same. What the transactions before leave is left by a shorter program.
fn run(family: &Small, program: &[&Vec<Changes>], judge: &mut Judge) {
    let Small { config, base, seen } = family;
    let strategy = strategy(5, 3, seed());
    let mut run = Run::on(*config, base, SimOptions::default());
    run.open().expect("a whole file opens");
    let (last, first) = program.split_last().expect("at least one transaction");
    for changes in first {
        run.commit(&changes.concat()).expect("nothing fails");
    }
    run.moments(&[]);
    let committed = run.step(|run| run.commit(&last.concat()).expect("nothing fails")).1;
    let closed = run.step(|run| run.close().expect("nothing fails")).1;
    for moment in committed.into_iter().chain(closed) {
        let new = seen.lock().expect("no panic while it is held").insert(fingerprint(&moment));
        if new {
            let judged = if config.writes_early() {
                judge.some(*config, &moment, &strategy, OF_EARLY)
            } else if config.durability == Durability::Log {
                judge.some(*config, &moment, &strategy, OF_REDO)
            } else if remembers(*config) {
                judge.some(*config, &moment, &strategy, OF_LOGGED)
            } else {
                judge.all(*config, &moment, &strategy)
            };
            judged.unwrap_or_else(|wrong| panic!("an image of {program:?} {wrong}"));
        }
    }
}

/// Every program of up to so many transactions of up to so many operations, of each family and kind of database.
pub(crate) fn every_small_program(figure: &Figure) {
    let max = Goals::of_this_run().exhaustive;
    let began = std::time::Instant::now();
    let (mut programs, mut moments) = (0, 0);
    for family in families() {
        let transactions = sequences(&family.ops, max);
        let all: Vec<&Vec<Changes>> = transactions.iter().collect();
        for config in *ALL_CONFIGS {
            let longest = if remembers(config) { max.saturating_sub(1).max(1) } else { max };
            let count = (1..=longest).map(|len| all.len().pow(u32::try_from(len).expect("few"))).sum::<usize>();
            let base = Base::of(config, &family.base, true);
            let small = Small { config, base, seen: Mutex::default() };
            figure.each_of(count as u64, Judge::new, |judge, number| {
                let before = judge.opened;
                let program = program(&all, number);
                if does_all(&small.base, &program) {
                    run(&small, &program, judge);
                }
                judge.opened - before
            });
            programs += count;
            moments += small.seen.into_inner().expect("no panic while it was held").len();
        }
    }
    println!(
        "\nsmall programs: all {programs} of up to {max} transactions, fewer where a log is written, of up to {max} \
         operations, {moments} different moments, {} images, {:.1} seconds",
        figure.count(),
        began.elapsed().as_secs_f64()
    );
}

/// Program `number`: those of one transaction come first, then those of two, and so on.
fn program<'a>(transactions: &[&'a Vec<Changes>], number: u64) -> Vec<&'a Vec<Changes>> {
    let mut number = usize::try_from(number).expect("few programs");
    let mut len = 1;
    let mut of_this_len = transactions.len();
    while number >= of_this_len {
        number -= of_this_len;
        of_this_len *= transactions.len();
        len += 1;
    }
    let mut program = Vec::new();
    for _ in 0..len {
        program.push(transactions[number % transactions.len()]);
        number /= transactions.len();
    }
    program
}

#[cfg(test)]
mod tests {
    use pagefile_std::sim::Barrier;

    use super::*;

    /// What one family's programs of one transaction make the tree and the file do.
    #[derive(Debug, Default)]
    struct Seen {
        splits: u64,
        merges: u64,
        overflow_pages: u64,
        inline_buckets: u64,
        depth: u64,
        growths: usize,
        /// Leaves of the nested bucket, in the one and in the other.
        nested_pages: [u64; 2],
    }

    fn seen(family: &Family) -> Seen {
        let mut seen = Seen::default();
        for changes in sequences(&family.ops, 3).iter().map(|ops| ops.concat()) {
            let mut run = Run::on(ALL_CONFIGS[0], &Base::of(ALL_CONFIGS[0], &family.base, true), SimOptions::default());
            run.open().unwrap();
            let moments = run.step(|run| run.commit(&changes).unwrap()).1;
            seen.growths += moments.iter().filter(|moment| moment.epoch.ended_by() == Barrier::Growth).count();
            let done = run.db().stats().tx;
            seen.splits += done.splits;
            seen.merges += done.merges;
            let tx = run.db().begin_read();
            for (parent, pages) in ["a", "b"].into_iter().zip(&mut seen.nested_pages) {
                if let Ok(Some(nested)) = tx.bucket(parent).and_then(|parent| parent.get_bucket("x")) {
                    *pages += nested.stats().unwrap().leaf_pages;
                }
            }
            for bucket in tx.buckets() {
                let stats = bucket.unwrap().1.stats().unwrap();
                seen.overflow_pages += stats.leaf_overflow_pages;
                seen.inline_buckets += stats.inline_buckets;
                seen.depth = seen.depth.max(stats.depth);
            }
        }
        seen
    }

    #[test]
    fn the_families_do_what_they_are_there_for() {
        let [overflow, leaves, branches, inline, buckets, growing] = families().each_ref().map(seen);
        assert!(overflow.overflow_pages > 0, "{overflow:?}");
        assert!(leaves.splits > 0 && leaves.merges > 0, "{leaves:?}");
        assert!(branches.splits > 0 && branches.merges > 0 && branches.depth >= 3, "{branches:?}");
        assert!(inline.inline_buckets > 0 && inline.nested_pages[0] > 0, "{inline:?}");
        assert!(buckets.nested_pages[1] > 0, "{buckets:?}");
        assert!(growing.growths > 0, "{growing:?}");
    }

    #[test]
    fn every_program_comes_once() {
        let all = sequences(&[1, 2, 3], 2);
        assert_eq!(all.len(), 12);
        let changes: Vec<Vec<Changes>> = vec![vec![], vec![deletes("a", 0, 1)]];
        let refs: Vec<&Vec<Changes>> = changes.iter().collect();
        let texts: HashSet<String> = (0..14).map(|number| format!("{:?}", program(&refs, number))).collect();
        assert_eq!(texts.len(), 2 + 4 + 8);
    }
}
