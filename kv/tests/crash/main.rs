//! Nothing lost: what is left of a database after power cuts, kills, failing syncs and failing calls, on a simulated
//! disk that shows every legal outcome ([`pagefile_std::sim`] says which those are).
//!
//! Two instruments, each checking the other. The *oracle* ([`reach`]) watches every write of every program here: none
//! may touch a page that the last durable meta reaches. The *judge* ([`judge`]) opens the images that power cuts leave:
//! each must be the last acknowledged state or the one in flight, key for key, pass the check, take a commit, and open
//! again with it.
//!
//! | budget | command | how long on two cores |
//! | --- | --- | --- |
//! | short | `cargo test -p kv-bbolt --test crash` | part of every test run |
//! | push | `cargo push-budget` | minutes |
//! | nightly | `cargo nightly-budget` | hours |
//! | release | `cargo release-budget` | a day |
//!
//! `cargo planted-bugs` shows that the suite catches what it is there to catch: it takes minutes of compiling, so no
//! budget has it inside.
//!
//! | variable | default | what |
//! | --- | --- | --- |
//! | `KV_BUDGET` | short | how much: `short`, `push`, `nightly` or `release` |
//! | `KV_SEED` | 1 | the seed of everything random |
//! | `KV_STATES` | the budget's | crash states to open |
//!
//! Every test ends with a line that says how much it did. A failure names the program that failed; the same seed fails
//! again. One test watches system calls with `strace`: where it is missing, the test is skipped and says so.

#[macro_use]
extern crate kv_testkit;

mod budget;
mod config;
mod exhaustive;
mod failed_call;
mod failed_sync;
mod first_order;
mod judge;
mod many_readers;
mod quiet;
mod reach;
mod redo_log;
mod restoring;
mod run;
mod second_order;
mod shrinking;
mod space_log;
mod state;
mod torn_meta;
mod trace;
mod wrong_list;
