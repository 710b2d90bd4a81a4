//! Any bytes as a database, and the same with valid meta pages.
#![no_main]

use kv_fuzz::bodies::any_bytes::{run, with_valid_metas};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    run(bytes);
    run(&with_valid_metas(bytes));
});
