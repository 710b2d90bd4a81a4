//! `kv browse` in a pseudo-terminal: keys are typed, and what the terminal then shows is compared.

use std::num::NonZeroU16;

use portable_pty::PtySize;
use vt100::MouseProtocolMode;

use crate::tool::{Bench, fixture};
use crate::tty::{COLUMNS, ROWS, Tty};

const DOWN: &str = "\x1b[B";
const RIGHT: &str = "\x1b[C";
const LEFT: &str = "\x1b[D";
const UP: &str = "\x1b[A";
const END: &str = "\x1b[F";
const ENTER: &str = "\r";

/// The lines of the tree, without its frame.
fn tree(tty: &Tty) -> Vec<String> {
    let rows = tty.screen.screen().rows(1, COLUMNS * 2 / 5 - 2);
    rows.skip(2).take_while(|row| !row.starts_with('\u{2500}')).map(|row| row.trim_end().to_owned()).collect()
}

fn zoo() -> Bench {
    let bench = Bench::new();
    for (bucket, key, value) in [
        ("birds", "owl", "hoot"),
        ("cats", "leo", "{\"says\":\"roar\"}"),
        ("cats", "tom", "meow"),
        ("cats", "hex:00ff", "hex:0001fe"),
    ] {
        let created = bench.kv(&["create", "db", bucket]).code;
        assert!(created == 0 || created == 1);
        bench.kv(&["put", "db", bucket, key, value]).ok();
    }
    bench
}

#[test]
fn what_is_typed_is_what_is_seen() {
    let bench = zoo();
    let mut tty = Tty::run(&bench, &["browse", "db"], true);
    tty.shows(&["+ birds", "+ cats", "q quit"]);
    assert_eq!(tree(&tty)[..2], ["+ birds", "+ cats"]);
    assert!(tty.screen.screen().alternate_screen());
    tty.press(DOWN).press(RIGHT).shows(&["- cats", "hex:00ff", "leo", "tom"]);
    assert_eq!(tree(&tty)[..5], ["+ birds", "- cats", "    hex:00ff", "    leo", "    tom"]);
    tty.press(DOWN).shows(&["3 bytes as hex", "00000000  00 01 fe"]);
    tty.press(DOWN).shows(&["15 bytes as JSON", "\"says\": \"roar\""]);
    tty.press("v").shows(&["15 bytes as text", "{\"says\":\"roar\"}"]);
    tty.press("gto").shows(&["go to key in cats: to"]);
    tty.press("m").press(ENTER).shows(&["4 bytes as text", "meow"]);
    tty.press("p").shows(&["page ", "leaf, ", "% full", "each letter a page"]);
    tty.press("d").shows(&["opened for reading: `kv browse --write`"]);
    tty.press("q");
    assert_eq!(tty.ends(), 0);
    assert!(!tty.screen.screen().alternate_screen(), "the terminal is as it was");
    assert_eq!(tty.screen.screen().mouse_protocol_mode(), MouseProtocolMode::None);
}

#[test]
fn changes_are_made_when_they_are_confirmed() {
    let bench = zoo();
    let mut tty = Tty::run(&bench, &["browse", "--write", "db"], true);
    tty.shows(&["opened for writing", "+ cats"]);
    tty.press("aemu\rboom\r").shows(&["put emu = boom (4 bytes) in birds?", "y yes"]);
    tty.press("n").shows(&["nothing was changed"]);
    tty.press("aemu\rboom\ry").shows(&["done", "    emu"]);
    tty.press("d").shows(&["delete emu in birds?"]);
    tty.press("n").press("bnest\ry").shows(&["+ nest"]);
    tty.press("q");
    assert_eq!(tty.ends(), 0);
    assert_eq!(bench.kv(&["scan", "db", "birds"]).ok(), "emu\tboom\nowl\thoot\n");
    assert_eq!(bench.kv(&["buckets", "db", "birds"]).ok(), "nest\n");
    assert_eq!(bench.kv(&["check", "db"]).ok(), "OK\n");
}

#[test]
fn a_file_that_another_program_writes_is_browsed_live() {
    let bench = zoo();
    let writer = kv::Db::open(bench.path("db")).unwrap();
    assert!(bench.kv(&["browse", "--live", "--write", "db"]).failed(2).contains("--live is for commands"));
    let mut tty = Tty::run(&bench, &["browse", "--live", "db"], true);
    tty.shows(&["+ birds", "+ cats"]);
    tty.press(DOWN).press(RIGHT).shows(&["- cats", "tom"]);
    writer.update(|tx| tx.bucket_mut("cats")?.put("puss", "in boots")).unwrap();
    tty.press("gpu").press(ENTER).shows(&["8 bytes as text", "in boots"]);
    tty.press("p").shows(&["leaf, ", "% full"]);
    tty.press("d").shows(&["opened for reading"]);
    tty.press("q");
    assert_eq!(tty.ends(), 0);
    writer.close().unwrap();
}

#[test]
fn the_mouse_works_and_colours_are_not_needed() {
    let bench = zoo();
    let mut tty = Tty::run(&bench, &["browse", "db"], false);
    tty.shows(&["+ cats"]);
    // A press of the left button in column 4, line 4, as xterm reports it, and its release.
    tty.press("\x1b[<0;4;4M\x1b[<0;4;4m").press("\x1b[<0;4;4M\x1b[<0;4;4m").shows(&["- cats", "    tom"]);
    tty.press("\x1b[<65;4;4M").shows(&["4 bytes as text", "meow"]);
    let screen = tty.screen.screen();
    let cells = (0..ROWS).flat_map(|row| (0..COLUMNS).map(move |column| (row, column)));
    let coloured =
        cells.filter_map(|(row, column)| screen.cell(row, column)).any(|cell| cell.fgcolor() != vt100::Color::Default);
    assert!(!coloured, "NO_COLOR is set");
    let selected = screen.cell(6, 5).unwrap();
    assert!(selected.inverse(), "what is selected is seen without colours:\n{}", screen.contents());
    // Ctrl-C.
    tty.press("\x03");
    assert_eq!(tty.ends(), 0);
}

#[test]
fn a_terminal_that_changes_its_size_gets_another_screen() {
    let bench = zoo();
    let mut tty = Tty::run(&bench, &["browse", "db"], true);
    tty.shows(&["+ cats"]);
    tty.master.resize(PtySize { rows: 10, cols: 40, ..PtySize::default() }).unwrap();
    let nonzero = |side| NonZeroU16::new(side).unwrap();
    tty.screen.set_size(nonzero(10), nonzero(40));
    tty.press(RIGHT).press(END).shows(&["- birds", "    owl"]);
    tty.press("q");
    assert_eq!(tty.ends(), 0);
}

/// A key that comes together with a change of the size is not kept back until the next key.
#[test]
fn keys_are_heard_while_the_terminal_changes_its_size() {
    let bench = zoo();
    let mut tty = Tty::run(&bench, &["browse", "db"], true);
    tty.shows(&["+ birds", "+ cats"]);
    for round in 0..60 {
        let (key, shown) = if round % 2 == 0 { (RIGHT, "- birds") } else { (LEFT, "+ birds") };
        let cols = 60 + round % 7;
        // While it draws, so that it finds both at once.
        tty.press(DOWN).press(UP);
        tty.master.resize(PtySize { rows: 20, cols, ..PtySize::default() }).unwrap();
        let nonzero = |side| NonZeroU16::new(side).unwrap();
        tty.screen.set_size(nonzero(20), nonzero(cols));
        tty.press(key).shows(&[shown]);
    }
    tty.press("q");
    assert_eq!(tty.ends(), 0);
}

#[test]
fn rows_of_etcd_are_shown_decoded() {
    let bench = Bench::with("etcd34-small-array");
    let mut tty = Tty::run(&bench, &["browse", "--keys", "gkey<Enter><Right><Down>", "db"], true);
    tty.shows(&["- key", "as etcd", "revision  ", "put       ", "version   "]);
    // Back to the bucket, and closed, so that the next bucket is sought beside it.
    tty.press("hhglease\r").press(RIGHT).press(DOWN);
    tty.shows(&["lease 5686a202198f1a32", "13 bytes as etcd", "granted   3600 s"]);
    tty.press("hhgmeta\r").press(RIGHT).press(DOWN).shows(&["consistent_index", "index in etcd's log  51"]);
    tty.press(DOWN).shows(&["compaction done  up to revision 42"]);
    tty.press("q");
    assert_eq!(tty.ends(), 0);
}

/// A file that does not fit the screen by far: what is on the screen comes at once, from the middle and from the end.
#[test]
fn many_keys_are_not_read() {
    let bench = Bench::new();
    let db = kv::Db::options().no_sync(true).open(bench.path("db")).unwrap();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..300_000u32).try_for_each(|n| bucket.put(format!("{n:08}"), "v"))
    })
    .unwrap();
    db.close().unwrap();
    let mut tty = Tty::run(&bench, &["browse", "db"], true);
    tty.shows(&["+ b"]);
    tty.press(RIGHT).press(END).shows(&["00299999"]);
    tty.press("g00150000\r").shows(&["00149999", "00150001"]);
    tty.press("/77777\r").shows(&["00077777"]);
    tty.press("n").shows(&["00177777"]);
    tty.press("f0029999\r").shows(&["b  [0029999*]", "00299990"]);
    assert!(!tty.screen.screen().contents().contains("00177777"));
    tty.press("q");
    assert_eq!(tty.ends(), 0);
}

#[test]
fn without_a_terminal_it_says_so_and_draws_pictures() {
    let bench = zoo();
    assert!(bench.kv(&["browse", "db"]).failed(2).contains("there is no terminal to draw on: `kv scan` prints"));
    bench.kv(&["browse", "--keys", "<Down><Right>p", "--picture", "screen.svg", "db"]).ok();
    let svg = String::from_utf8(bench.read("screen.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains(">cats<") && svg.contains("hex:00ff"), "{svg}");
    bench.kv(&["browse", "--picture", "screen.svg", "db"]).failed(3);
    assert_eq!(bench.kv(&["browse", "--size", "1x1", "--picture", "small.svg", "db"]).code, 2);
    let error = bench.kv(&["browse", "--picture", "other.svg", "absent"]).failed(3);
    assert!(error.contains("absent: there is no such file"), "{error}");
}

#[test]
fn the_picture_in_the_documents_is_what_is_drawn() {
    let bench = Bench::new();
    let file = fixture("etcd34-small-array.db");
    let keys = "gkey<Enter><Right><Down>p";
    bench.kv(&["browse", "--keys", keys, "--picture", "drawn.svg", file.to_str().unwrap()]).ok();
    let kept = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/browse.svg")).unwrap();
    assert!(bench.read("drawn.svg") == kept, "draw it again, with the command in README.md");
}
