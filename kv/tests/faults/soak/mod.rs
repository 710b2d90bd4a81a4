//! A long soak: one file through many lives of a process that writes it with several threads, reads it with others, and
//! is killed at any moment. Beside it an oracle knows what has to be in the file.
//!
//! - [`oracle`]: the state of each writer, from the seed alone. [`content`]: that state as buckets in the file.
//! - [`life`]: the child. Its readers verify whole snapshots while writers commit, alone and in batches; some hold them
//!   for seconds, which keeps pages from being used again.
//! - [`judge`]: the parent looks at the file between two lives. Every acknowledged commit has to be there, with at most
//!   the one of each writer that was under way, and nothing else. Now and then Go's bbolt checks the file.
//!
//! In one life of eight the file may grow only a little, until a commit fails for want of room: nothing of it may be
//! there, and reads go on.
//!
//! A kill loses nothing that the kernel has, so this cannot show a missing sync: `kv/tests/crash` does. It shows whether
//! threads, snapshots, the reuse of pages, growth, opening after a kill, and bbolt agree, for hours and in one file.
//!
//! | variable | default | what |
//! | --- | --- | --- |
//! | `KV_BUDGET` | short | 5 seconds; `push` 20 seconds; `nightly` an hour, which is `cargo soak`; `release` eight |
//! | `KV_SOAK_MINUTES` | by budget | another number of minutes |
//! | `KV_SEED` | 1 | what the writers write, and when they are killed; how threads interleave is the kernel's choice |
//!
//! What a violation leaves is kept: the file, and `oracle.log` with a line for each life. The numbers in that line say what
//! has to be in the file: `Oracle::after(seed, writer, number)`.

mod content;
mod judge;
mod life;
mod oracle;
mod parent;

use std::path::Path;
use std::time::Duration;

use kv_testkit::budget::{Budget, number};

use crate::child::work;

const TEST: &str = "soak::nothing_is_lost_and_nothing_is_made_up";

/// Seconds, by budget.
const SECONDS: [u64; 4] = [5, 20, 3600, 8 * 3600];

#[test]
fn nothing_is_lost_and_nothing_is_made_up() {
    if let Some(file) = work() {
        return life::live(Path::new(&file));
    }
    let by_budget = *Budget::of_this_run().of(&SECONDS);
    let seconds = match number("KV_SOAK_MINUTES", 0) {
        0 => by_budget,
        minutes => 60 * minutes,
    };
    parent::soak(Duration::from_secs(seconds));
}
