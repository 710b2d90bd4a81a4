//! What the commands `check` and `surgery` do with any bytes.
#![no_main]

use std::sync::LazyLock;

/// Where repaired copies go. `TMPDIR=/dev/shm` makes them quicker.
static DIR: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kv_fuzz::bodies::tool::run(bytes, DIR.path()));
