//! The command `export`, in both its forms, on any bytes as a file.
#![no_main]

use std::fs;
use std::io;
use std::sync::LazyLock;

use kv_cli::{Streams, run_from};
use kv_fuzz::bodies::any_bytes::with_valid_metas;

/// Where the file lies. `TMPDIR=/dev/shm` makes it quicker.
static DIR: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = DIR.path().join("db");
    fs::write(&file, with_valid_metas(bytes)).expect("the directory takes a file");
    for form in ["--format=jsonl", "--format=dump"] {
        let quiet = Streams::new(io::empty(), io::sink(), io::sink());
        let code = run_from(["kv".as_ref(), "export".as_ref(), file.as_os_str(), form.as_ref()], quiet);
        // Damage is an answer, and so is a file that is not a database. A command line that is wrong is not.
        assert!([0, 1, 3].contains(&code), "exit code {code}");
    }
});
