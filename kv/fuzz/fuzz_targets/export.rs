//! The command `export`, in both its forms, on any bytes as a file.
#![no_main]
#![allow(dead_code, reason = "the modules are the tool's own, and more of it than export")]

#[path = "../../src/bin/kv/bucket_path.rs"]
mod bucket_path;
#[path = "../../src/bin/kv/export.rs"]
mod export;
#[path = "../../src/bin/kv/failure.rs"]
mod failure;
#[path = "../../src/bin/kv/interrupt.rs"]
mod interrupt;
#[path = "../../src/bin/kv/notation.rs"]
mod notation;
#[path = "../../src/bin/kv/open.rs"]
mod open;
#[path = "../../src/bin/kv/output.rs"]
mod output;
#[path = "../../src/bin/kv/progress.rs"]
mod progress;
#[path = "../../src/bin/kv/record.rs"]
mod record;
#[path = "../../src/bin/kv/remedy.rs"]
mod remedy;
#[path = "../../src/bin/kv/terminal.rs"]
mod terminal;
#[path = "../../src/bin/kv/walk.rs"]
mod walk;

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use clap::Parser;
use kv_fuzz::bodies::any_bytes::with_valid_metas;

use crate::export::Export;
use crate::terminal::Terminal;

/// Where the file lies. `TMPDIR=/dev/shm` makes it quicker.
static DIR: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    export: Export,
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = DIR.path().join("db");
    fs::write(&file, with_valid_metas(bytes)).expect("the directory takes a file");
    for form in ["--format=jsonl", "--format=dump"] {
        let line = Line::parse_from(["export".as_ref(), file.as_os_str(), form.as_ref()]);
        // An error is as good an answer as another.
        let _ = line.export.run(&mut Terminal::new(Duration::ZERO));
    }
});
