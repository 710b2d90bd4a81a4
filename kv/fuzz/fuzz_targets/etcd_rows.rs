//! Any rows in the bucket of etcd's keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kv_fuzz::any_rows::run(bytes));
