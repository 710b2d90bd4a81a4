//! The header is that of the sources. `KV_WRITE_HEADER=1 cargo test -p kv-c --test header` writes it.

#[macro_use]
extern crate kv_testkit;

use std::path::Path;
use std::{env, fs};

/// The sources, in the order in which a reader wants them.
const FILES: [&str; 7] =
    ["code.rs", "pointers.rs", "database.rs", "transaction.rs", "bucket.rs", "pairs.rs", "scan.rs"];

#[test]
fn the_header_is_current() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(package.join("cbindgen.toml")).unwrap();
    let sources = package.join("src");
    assert_eq!(fs::read_dir(&sources).unwrap().count(), FILES.len() + 1, "every file but lib.rs is in the header");
    let files = FILES.iter().map(|file| sources.join(file));
    let builder = files.fold(cbindgen::Builder::new().with_config(config), cbindgen::Builder::with_src);
    let mut current = Vec::new();
    builder.generate().unwrap().write(&mut current);
    let current = String::from_utf8(current).unwrap();

    let path = package.join("include/kv.h");
    if env::var_os("KV_WRITE_HEADER").is_some() {
        fs::write(&path, &current).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == current, "kv.h is not that of the sources: KV_WRITE_HEADER=1 cargo test -p kv-c --test header");
    for rule in ["kv_code kv_put(", "KV_PANIC = 51", "#define KV_OPEN_READ_ONLY 1"] {
        assert!(current.contains(rule), "{rule}");
    }
}
