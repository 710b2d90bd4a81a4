//! A digest kept beside the file, by the tool.

use kv::Db;

/// Runs the built tool; its exit code and what it printed.
fn kv(args: &[&std::ffi::OsStr]) -> (Option<i32>, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kv")).args(args).output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn the_tool_keeps_a_digest_beside_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let [file, side] = ["db", "side"].map(|name| dir.path().join(name).into_os_string());
    let db = Db::open(&file).unwrap();
    db.update(|tx| tx.create_bucket("letters")?.put("a", "a value to be found in the bytes")).unwrap();
    db.close().unwrap();
    assert_eq!(kv(&["digest".as_ref(), &file, "-o".as_ref(), &side]), (Some(0), String::new()));
    let verify = || kv(&["verify".as_ref(), &file, "--digest".as_ref(), &side]);
    assert_eq!(verify(), (Some(0), "OK\n".into()));
    assert_eq!(kv(&["digest".as_ref(), &file, "-o".as_ref(), &side]).0, Some(3), "it replaces nothing");

    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(7).position(|part| part == b"a value").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(kv(&["check".as_ref(), &file]), (Some(0), "OK\n".into()), "the format does not show it");
    let (code, text) = verify();
    assert_eq!(
        (code, &text[..]),
        (Some(1), "letters: everything in it is not what was digested\n1 differences found\n")
    );

    // A side file may be damaged as well.
    let text = std::fs::read_to_string(&side).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    for (damaged, told) in [
        (format!("{first}\n{}", rest.replacen('a', "b", 1)), "does not fit"),
        (text.replace("end", "and"), "its end is missing"),
        (text[..text.len() - 2].into(), "does not fit"),
        (text.replacen("kv", "vk", 1), "is no digest"),
        (String::new(), "is no digest"),
    ] {
        std::fs::write(&side, damaged).unwrap();
        let (code, text) = verify();
        assert!(code == Some(1) && text.contains(told), "{told}: {text}");
    }
}
