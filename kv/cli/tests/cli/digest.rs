//! A digest kept beside the file.

use crate::tool::Bench;

#[test]
fn a_flipped_bit_in_a_value_is_found() {
    let bench = Bench::new();
    bench.kv(&["create", "db", "letters"]).ok();
    bench.kv(&["put", "db", "letters", "a", "a value to be found in the bytes"]).ok();
    assert_eq!(bench.kv(&["digest", "db", "-o", "side"]).ok(), "");
    assert_eq!(bench.kv(&["verify", "db", "--digest", "side"]).ok(), "OK\n");
    bench.kv(&["digest", "db", "-o", "side"]).failed(3);

    let mut bytes = bench.read("db");
    let at = bytes.windows(7).position(|part| part == b"a value").unwrap();
    bytes[at] ^= 1;
    std::fs::write(bench.path("db"), &bytes).unwrap();
    assert_eq!(bench.kv(&["check", "db"]).ok(), "OK\n", "the format does not show it");
    let answer = bench.kv(&["verify", "db", "--digest", "side"]);
    assert_eq!((answer.code, answer.err.as_str()), (1, ""));
    let said = String::from_utf8(answer.out).unwrap();
    assert_eq!(said, "letters: everything in it is not what was digested\n1 differences found\n");
}

#[test]
fn a_damaged_side_file_is_not_taken_for_damage_of_the_database() {
    let bench = Bench::new();
    bench.kv(&["create", "db", "letters"]).ok();
    bench.kv(&["put", "db", "letters", "a", "value"]).ok();
    bench.kv(&["digest", "db", "-o", "side"]).ok();
    let text = String::from_utf8(bench.read("side")).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    for (damaged, said) in [
        (format!("{first}\n{}", rest.replacen('a', "b", 1)), "is not the hash of the others"),
        (text.replace("end", "and"), "its end is missing"),
        (text[..text.len() - 2].into(), "is not the hash of the others"),
        (text.replacen("kv", "vk", 1), "is not a digest"),
        (String::new(), "is not a digest"),
    ] {
        std::fs::write(bench.path("side"), damaged).unwrap();
        let error = bench.kv(&["verify", "db", "--digest", "side"]).failed(1);
        assert!(error.contains(said), "{said}: {error}");
    }
}
