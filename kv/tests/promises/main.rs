//! What a user relies on, promise by promise: the module's name says which, the test's name says what was promised.
//!
//! `KV_FLIPS_EVERY=31` tries one of 31 flipped bits and damaged files instead of each ([`hostile`]); emulators need it.

#![allow(clippy::cast_possible_truncation, reason = "the numbers here are small")]

#[macro_use]
extern crate kv_testkit;

mod batch;
mod bbolt_defects;
mod beside;
mod changes;
mod collections;
mod copies;
mod counters;
mod deleting;
mod density;
mod disorder;
mod durability;
mod errors;
mod eventual;
mod extension;
mod figures;
mod first_programs;
mod freelist;
mod gate;
mod guesses;
mod half_done;
mod handles;
mod hooks;
mod hostile;
mod hostile_shapes;
mod in_a_write;
mod large_transactions;
mod limits;
mod locking;
#[cfg(unix)]
mod moved;
mod one_writer;
mod options;
mod poison;
mod private_reads;
mod readers;
mod replayed;
mod restore;
mod seal;
mod shared_pages;
mod shared_writes;
mod shrink;
mod space_log;
mod stores;
mod tables;
mod threads;
mod together;
mod two_states;
mod wrong_lists;
