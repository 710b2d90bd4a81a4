//! The commands as a library runs them: streams are given, and an exit code is returned.

use std::io::{self, Write};

use kv_cli::{Streams, run_from};

use crate::tool::{Bench, fixture};

/// Runs a command in this process, on files named by their whole paths.
fn run(args: &[&str], input: &[u8]) -> (u8, String, String) {
    let (mut output, mut error) = (Vec::new(), Vec::new());
    let code = run_from([&["kv"], args].concat(), Streams::new(input, &mut output, &mut error));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code, text(output), text(error))
}

#[test]
fn input_output_and_errors_go_through_the_streams() {
    let bench = Bench::new();
    let db = bench.path("db").into_os_string().into_string().unwrap();
    let line = r#"{"bucket":["b"],"key":"k","value":"v"}"#;
    assert_eq!(run(&["import", &db], line.as_bytes()), (0, "1 lines imported\n".into(), String::new()));
    assert_eq!(run(&["put", "--value-from", "-", &db, "b", "k"], b"new"), (0, String::new(), String::new()));
    assert_eq!(run(&["get", &db, "b", "k"], b""), (0, "new\n".into(), String::new()));
    let (code, output, error) = run(&["get", &db, "b", "absent"], b"");
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(error.starts_with("kv: ") && error.contains("there is no key \"absent\""), "{error}");
    let (code, output, error) = run(&["get"], b"");
    assert!(code == 2 && output.is_empty() && error.contains("Usage: kv get"), "{error}");
    let (code, output, error) = run(&["--help"], b"");
    assert!(code == 0 && output.contains("Exit codes:") && error.is_empty() && !output.contains('\x1b'), "{output}");
    let (code, output, error) = run(&["bench", "--count", "10", "--no-sync", "--path", &format!("{db}.bench")], b"");
    assert!(code == 0 && output.starts_with("# Write\t10(ops)") && error.starts_with("starting write"), "{error}");
}

/// A pipe whose reader leaves after `left` bytes.
struct Leaves {
    left: usize,
}

impl Write for Leaves {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = bytes.len().min(self.left);
        self.left -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `kv check FILE | head`.
#[test]
fn the_exit_code_says_damage_even_if_the_reader_of_the_output_leaves() {
    let bench = Bench::with("etcd34-small-array");
    let path = |name: &str| bench.path(name).into_os_string().into_string().unwrap();
    let (db, side, sound) =
        (path("db"), path("side"), fixture("etcd34-small-array.db").into_os_string().into_string().unwrap());
    bench.kv(&["digest", "-o", "side", "db"]).ok();
    let mut bytes = bench.read("db");
    // Page 5 is the branch of the bucket `key`.
    bytes[5 * 4096 + 8] = 0x77;
    std::fs::write(bench.path("db"), &bytes).unwrap();
    let metas = path("metas");
    let mut bytes = bench.read("db");
    bytes[4096 + 72] ^= 1;
    std::fs::write(&metas, &bytes).unwrap();

    for (args, file) in [
        (&["check"][..], &db),
        (&["check", "--json"], &db),
        (&["verify", "--digest", &side], &db),
        (&["verify", "--json", "--digest", &side], &db),
        (&["page", "--all"], &db),
        (&["surgery", "meta", "validate"], &metas),
        (&["surgery", "meta", "validate", "--json"], &metas),
    ] {
        for left in [0, 1, 10] {
            // `page --all` comes to page 5 after 10 KB, and ends when the reader leaves.
            let left = if args[0] == "page" { 20_000 + left } else { left };
            let run = |file: &str| {
                let args = [&["kv"], args, &[file]].concat();
                run_from(args, Streams::new(io::empty(), Leaves { left }, io::sink()))
            };
            assert_eq!(run(file), 1, "{args:?} with a reader that leaves after {left} bytes");
            assert_eq!(run(&sound), 0, "{args:?} of a sound file with a reader that leaves after {left} bytes");
        }
    }
}
