//! Another process truncates the file under an open handle: with private reads a look at what is gone is an error, and
//! without them the end of the process.
#![cfg(target_os = "linux")]

use std::fs::{self, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use kv::{Db, Error, Options, StoreError};

use crate::child::{command, kernel_is_left_out, say, start, work};

const TEST: &str = "truncated::what_is_gone_is_an_error_with_private_reads_and_a_signal_without";

/// Whether the child reads privately.
const PRIVATE: &str = "KV_FAULTS_PRIVATE_READS";

/// Bytes that are left of the file: the metas, and little else.
const LEFT: u64 = 4 * 4096;

const SIGBUS: i32 = 7;

fn key(n: u32) -> [u8; 4] {
    n.to_le_bytes()
}

fn made(path: &Path) {
    let db = Db::open(path).unwrap();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..1000).try_for_each(|n| bucket.put(key(n), [7; 500]))
    })
    .unwrap();
    db.close().unwrap();
}

#[test]
fn what_is_gone_is_an_error_with_private_reads_and_a_signal_without() {
    if let Some(file) = work() {
        let private = std::env::var_os(PRIVATE).is_some();
        return look_when_it_is_short(Path::new(&file), private);
    }
    if kernel_is_left_out() {
        return;
    }
    let (said, status) = truncated_under_a_child(true);
    assert!(status.success() && said.iter().any(|line| line == "alive"), "{status}: {}", said.join("\n"));
    let (said, status) = truncated_under_a_child(false);
    assert_eq!(status.signal(), Some(SIGBUS), "{}", said.join("\n"));
}

fn truncated_under_a_child(private: bool) -> (Vec<String>, ExitStatus) {
    let dir = tempfile::tempdir().unwrap();
    let file: PathBuf = dir.path().join("db");
    made(&file);
    let mut command = command(&["env"], TEST, file.as_os_str());
    if private {
        command.env(PRIVATE, "yes");
    }
    let mut child = start(command);
    let mut said = Vec::new();
    while let Some(line) = child.line() {
        let opened = line == "opened";
        said.push(line);
        if opened {
            OpenOptions::new().write(true).open(&file).unwrap().set_len(LEFT).unwrap();
            break;
        }
    }
    let (rest, status) = child.end();
    said.extend(rest);
    (said, status)
}

/// The child: it has read one value before, and looks at all of them after.
fn look_when_it_is_short(path: &Path, private: bool) {
    let db = Options::new().private_reads(private).open(path).unwrap();
    let tx = db.begin_read();
    let bucket = tx.bucket("b").unwrap();
    assert_eq!(bucket.get(key(500)).unwrap(), Some(&[7; 500][..]));
    say("opened");
    while fs::metadata(path).unwrap().len() > LEFT {
        std::thread::sleep(Duration::from_millis(1));
    }
    let lost: Vec<Error> = (0..1000).filter_map(|n| bucket.get(key(n)).err()).collect();
    assert!(!lost.is_empty() && lost.len() < 1000, "{} of 1000", lost.len());
    for error in &lost {
        let Error::Store(StoreError::Io { path: named, offset, source, .. }) = error else { panic!("{error:?}") };
        assert!(named.ends_with("db") && offset.is_some_and(|offset| offset >= LEFT), "{error}");
        assert!(source.to_string().contains("the file ends before 4096 bytes"), "{source}");
        assert!(error.to_string().contains("another program has truncated the file"), "{error}");
    }
    assert_eq!(bucket.get(key(500)).unwrap(), Some(&[7; 500][..]), "what was read before is still there");
    assert!(tx.write_to(&mut std::io::sink()).is_err(), "and a copy of it all is not");
    say("alive");
}
