//! Time on the wall and time on the processor.

use std::time::{Duration, Instant};

use cpu_time::ProcessTime;

/// What some work took. Processor time is the whole process's, the system's work for it included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Spent {
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
}

/// Runs `work` and measures it.
pub(super) fn measure<T>(work: impl FnOnce() -> T) -> (T, Spent) {
    let (cpu, wall) = (ProcessTime::now(), Instant::now());
    let done = work();
    (done, Spent { wall: wall.elapsed(), cpu: cpu.elapsed() })
}
