//! A program on a simulated disk, what fails, and when the power goes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kv_fuzz::bodies::crash_plan::run(bytes));
