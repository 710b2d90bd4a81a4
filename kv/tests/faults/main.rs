//! What happens to real processes, real files and hostile bytes; what a simulated disk shows is in `kv/tests/crash`.
//!
//! - [`kill`]: `kill -9` at any moment: acknowledged commits are there, and nothing that is half done.
//! - [`processes`]: several writers and readers at one file.
//! - [`syscalls`], [`full`]: real system calls that fail, a real disk that is full.
//! - [`truncated`]: a file that another process cuts off under an open handle.
//! - [`flips`], [`lies`], [`corpus`]: every truncation, single flipped bits, hand-made lies, what fuzzers have kept.
//! - `digest`, with that feature: what a digest beside the file finds that the format cannot.
//! - [`syncs`]: the syncs that each way of turning them off makes.
//! - [`stress`]: readers, writers and growth at once; what the sanitizers are run on.
//! - [`soak`]: all of it in one file for as long as one likes, with kills and full disks: `cargo soak`.
//!
//! Cases that could kill or hang the test program run in a child: this program once more, see [`child`].
//! Each test ends with a line that says how much it did. System calls fail with the help of `strace`: where it is
//! missing, that test is skipped and says so.
//!
//! | variable | default | what |
//! | --- | --- | --- |
//! | `KV_BUDGET` | short | how much: `short`, `push` (minutes), `nightly` (hours) or `release` (a day) |
//! | `KV_SEED` | 1 | the seed of everything random |
//! | `PAGEFILE_KERNEL` | not set | `skip` leaves out what watches or limits system calls |
//!
//! ```sh
//! KV_BUDGET=push cargo test -p kv-bbolt --release --test faults
//! ```
#![cfg(unix)]
#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "what watches and limits system calls needs Linux"))]
#![allow(clippy::cast_possible_truncation, reason = "the files here are small")]

#[macro_use]
extern crate kv_testkit;

mod bodies;
mod budget;
mod child;
mod corpus;
#[cfg(feature = "digest")]
mod digest;

mod flips;
mod full;
mod kill;
mod lies;
mod processes;
mod soak;
mod stress;
mod syncs;
mod syscalls;
mod truncated;
mod workload;
