//! What real files are asked to do, read off the system calls: `SimDisk` can show that the order of writes and syncs is
//! right, but not that a file's `grow` syncs, or that the directory is.

use std::path::Path;
use std::process::Command;
use std::str::FromStr;

use kv::Db;
use kv_testkit::budget::Budget;

use kv_testkit::found::{found, skip};

/// Names the file for [`traced_program`].
const FILE: &str = "KV_TRACED_FILE";

/// Creates a database, and makes it grow twice.
#[test]
#[ignore = "the program that the test below traces: `cargo test -p kv-bbolt --test crash system_calls`"]
fn traced_program() {
    let path = std::env::var_os(FILE).expect("the test below names the file");
    let db = kv::Options::new().page_size(1024).open(path).unwrap();
    db.update(|tx| tx.create_bucket("a").map(|_| ())).unwrap();
    for number in 0..40u32 {
        db.update(|tx| tx.bucket_mut("a")?.put(number.to_le_bytes(), [7; 2000])).unwrap();
    }
    db.close().unwrap();
    Db::open(std::env::var_os(FILE).unwrap()).unwrap().close().unwrap();
}

/// A system call on the database file or its directory.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    Name,
    SyncDirectory,
    Lengthen,
    /// The number of the open file, and whether each write to it is durable when it returns.
    Open {
        file: u32,
        durable: bool,
    },
    Write {
        file: u32,
        at: u64,
    },
    Sync,
}

fn number<T: FromStr>(text: &str) -> T {
    text.trim().parse().unwrap_or_else(|_| panic!("a number: {text}"))
}

/// What a line of strace's says of the file or its directory.
fn call(line: &str, file: &str, directory: &str) -> Option<Call> {
    let (_pid, rest) = line.split_once(' ')?;
    let (name, arguments) = rest.trim_start().split_once('(')?;
    let (arguments, result) = arguments.rsplit_once(" = ")?;
    assert!(!result.starts_with('-') || name.starts_with("open"), "nothing fails here: {line}");
    let of_file = arguments.contains(&format!("<{file}>"));
    let of_directory = arguments.contains(&format!("<{directory}>"));
    match name {
        "link" | "linkat" | "rename" | "renameat" | "renameat2" => Some(Call::Name),
        "fsync" | "fdatasync" if of_file => Some(Call::Sync),
        "fsync" if of_directory => Some(Call::SyncDirectory),
        "ftruncate" if of_file => Some(Call::Lengthen),
        "openat" if result.contains(&format!("<{file}>")) => {
            Some(Call::Open { file: number(result.split('<').next()?), durable: arguments.contains("O_DSYNC") })
        }
        "pwritev" | "pwrite64" if of_file => {
            let at = arguments.trim_end_matches(')').trim_end().trim_end_matches(')').rsplit(", ").next()?;
            Some(Call::Write { file: number(arguments.split('<').next()?), at: number(at) })
        }
        _ => None,
    }
}

/// What breaks the order that durability rests on.
fn broken(calls: &[Call]) -> Option<String> {
    let (mut named, mut longer, mut data, mut meta) = (false, false, false, false);
    let mut at_once = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        let wrong = match call {
            Call::Write { .. } if named => "the file is written before its directory is synced",
            Call::Write { .. } if longer => "a growth is not synced before the next write",
            Call::Write { at, .. } if *at < 2048 && data => "a meta is written before the data is synced",
            Call::Write { at, .. } if *at >= 2048 && meta => "data is written before the meta is synced",
            _ => "",
        };
        if !wrong.is_empty() {
            return Some(format!("call {number}: {wrong}"));
        }
        match call {
            Call::Name => named = true,
            Call::SyncDirectory => named = false,
            Call::Lengthen => longer = true,
            Call::Open { file, durable } => {
                at_once.retain(|other| other != file);
                at_once.extend(durable.then_some(*file));
            }
            Call::Write { file, .. } if at_once.contains(file) => {}
            Call::Write { at, .. } if *at < 2048 => meta = true,
            Call::Write { .. } => data = true,
            Call::Sync => (longer, data, meta) = (false, false, false),
        }
    }
    (named || longer || data || meta).then(|| "something is not synced in the end".into())
}

#[test]
fn real_files_are_synced_by_system_calls_in_the_right_order() {
    if !cfg!(target_os = "linux") {
        return skip("it needs Linux");
    }
    if !found("strace", "strace") {
        assert!(!Budget::is_asked_for(), "a budget needs strace");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let (file, log) = (directory.join("file.db"), directory.join("calls"));
    let traced = "openat,link,linkat,rename,renameat,renameat2,fsync,fdatasync,ftruncate,pwritev,pwrite64";
    let status = Command::new("strace")
        .args(["-f", "-y", "-s", "0", "-e", "signal=none", "-e", &format!("trace={traced}"), "-o"])
        .args([log.as_os_str(), std::env::current_exe().unwrap().as_os_str()])
        .args(["--ignored", "--exact", "trace::traced_program"])
        .env(FILE, &file)
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stdout));
    let text = std::fs::read_to_string(&log).unwrap();
    let name = |path: &Path| path.to_str().unwrap().to_owned();
    let calls: Vec<Call> = text.lines().filter_map(|line| call(line, &name(&file), &name(&directory))).collect();
    let count = |what: Call| calls.iter().filter(|call| **call == what).count();
    assert!(count(Call::Lengthen) >= 2 && count(Call::Name) == 1 && count(Call::Sync) > 40, "{text}");
    let durable = calls.iter().filter(|call| matches!(call, Call::Open { durable: true, .. })).count();
    assert_eq!(durable, 2, "one for each time that the file is opened: {text}");
    assert_eq!(broken(&calls), None, "{text}");
}

#[test]
fn a_wrong_order_is_noticed() {
    use Call::{Lengthen, Name, Open, Sync, SyncDirectory, Write};
    let (meta, data) = (|| Write { file: 3, at: 1024 }, || Write { file: 3, at: 4096 });
    let (open, durable_meta) = (|file, durable| Open { file, durable }, || Write { file: 4, at: 0 });
    let right = [Name, SyncDirectory, meta(), Sync, Lengthen, Sync, data(), data(), Sync, meta(), Sync];
    assert_eq!(broken(&right), None);
    assert_eq!(broken(&[open(3, false), open(4, true), data(), Sync, durable_meta(), data(), Sync]), None);
    for calls in [
        vec![Name, meta(), Sync],
        vec![Name],
        vec![Lengthen, data(), Sync],
        vec![data(), meta(), Sync],
        vec![meta(), data(), Sync],
        vec![data()],
        vec![open(4, true), data(), durable_meta(), Sync],
        vec![open(4, true), open(4, false), durable_meta()],
    ] {
        assert!(broken(&calls).is_some(), "{calls:?}");
    }
    let line = "71 pwritev(3</t/f.db>, [{iov_base=\"\"..., iov_len=1024}], 1, 2048) = 1024";
    assert_eq!(call(line, "/t/f.db", "/t"), Some(Write { file: 3, at: 2048 }));
    let line = "71 openat(AT_FDCWD</t>, \"/proc/self/fd/3\", O_WRONLY|O_DSYNC|O_CLOEXEC) = 4</t/f.db>";
    assert_eq!(call(line, "/t/f.db", "/t"), Some(open(4, true)));
    assert_eq!(call("71 fsync(4</t>)   = 0", "/t/f.db", "/t"), Some(SyncDirectory));
}
