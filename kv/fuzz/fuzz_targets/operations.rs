//! A program beside a tree of maps.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kv_fuzz::bodies::operations::run(bytes));
