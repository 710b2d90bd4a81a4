//! Figures: how much a test has done. The documents quote their lines, which `.ci/trust` reads.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::budget::{Budget, seed};

/// Prints the line of a figure; `more` begins with a comma or a semicolon.
pub fn print(what: &str, count: u64, more: &str, seed: u64, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = count as f64 / seconds;
    let budget = Budget::of_this_run().name();
    println!("\n{what}: {count}, 0 wrong{more}, {rate:.0}/s, seed {seed}, {seconds:.1} seconds, budget {budget}");
}

/// Counts towards a goal on several threads.
///
/// ```
/// let figure = kv_testkit::figure::Figure::new("numbers", 100);
/// figure.each(|| (), |(), number| number % 3);
/// figure.tell("");
/// ```
#[derive(Debug)]
pub struct Figure {
    what: &'static str,
    goal: u64,
    count: AtomicU64,
    next: AtomicU64,
    failed: AtomicBool,
    began: Instant,
}

impl Figure {
    /// Nothing yet.
    #[must_use]
    pub fn new(what: &'static str, goal: u64) -> Self {
        let (count, next) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { what, goal, count, next, failed: AtomicBool::new(false), began: Instant::now() }
    }

    /// How much there is.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Calls `work` with 0, 1, 2 ... until the goal is reached; it returns what to count. See [`each_of`](Self::each_of).
    pub fn each<W>(&self, worker: impl Fn() -> W + Sync, work: impl Fn(&mut W, u64) -> u64 + Sync) {
        self.on_all_processors(&|| self.count() >= self.goal, &worker, &work);
    }

    /// Calls `work` with each number below `end`, on as many threads as there are processors, and counts what it
    /// returns. Each thread makes its own `worker`. A panic says which number it was.
    pub fn each_of<W>(&self, end: u64, worker: impl Fn() -> W + Sync, work: impl Fn(&mut W, u64) -> u64 + Sync) {
        self.on_all_processors(&|| self.next.load(Ordering::Relaxed) >= end, &worker, &|worker, number| {
            if number < end { work(worker, number) } else { 0 }
        });
    }

    fn on_all_processors<W>(
        &self,
        done: &(dyn Fn() -> bool + Sync),
        worker: &(impl Fn() -> W + Sync),
        work: &(impl Fn(&mut W, u64) -> u64 + Sync),
    ) {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let one_thread = || {
            let mut worker = worker();
            while !self.failed.load(Ordering::Relaxed) && !done() {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                match catch_unwind(AssertUnwindSafe(|| work(&mut worker, number))) {
                    Ok(count) => _ = self.count.fetch_add(count, Ordering::Relaxed),
                    Err(panic) => {
                        self.failed.store(true, Ordering::Relaxed);
                        println!("{}: number {number} of seed {} has failed", self.what, seed());
                        resume_unwind(panic);
                    }
                }
            }
        };
        self.next.store(0, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(one_thread);
            }
        });
    }

    /// Prints the line.
    ///
    /// # Panics
    /// If the goal was not reached.
    pub fn tell(&self, more: &str) {
        print(self.what, self.count(), more, seed(), self.began);
        assert!(self.count() >= self.goal, "only {} of {}", self.count(), self.goal);
    }
}
