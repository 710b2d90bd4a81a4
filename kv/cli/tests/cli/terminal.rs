//! What commands show in a terminal, and not to a program.

use crate::tool::Bench;
use crate::tty::{COLUMNS, Tty};

fn large() -> Bench {
    let bench = Bench::new();
    let db = kv::Db::options().no_sync(true).open(bench.path("db")).unwrap();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..200_000u32).try_for_each(|n| bucket.put(format!("{n:08}"), [0; 100]))
    })
    .unwrap();
    db.close().unwrap();
    bench
}

#[test]
fn long_commands_show_how_much_is_left() {
    let bench = large();
    std::fs::write(bench.path("lines"), bench.kv(&["export", "db"]).out).unwrap();
    for (args, what) in [
        (&["check", "db"][..], "checking pages ["),
        (&["digest", "-o", "side", "db"], "digesting pages ["),
        (&["compact", "-o", "copy", "db"], "compacting pages ["),
        (&["import", "other", "lines"], "importing ["),
    ] {
        let mut tty = Tty::run(&bench, args, true);
        tty.shows(&[what, "/", " left"]);
        assert_eq!(tty.ends(), 0, "{args:?}");
        let end = tty.screen.screen().contents();
        assert!(!end.contains(" left"), "{args:?}: a bar goes when the work is done: {end}");
        // Nothing of it where nobody looks.
        assert_eq!(bench.kv(&["check", "db"]).err, "");
    }
}

#[test]
fn a_map_is_as_wide_as_the_terminal_and_has_its_colours() {
    let bench = large();
    let mut tty = Tty::run(&bench, &["map", "db"], true);
    assert_eq!(tty.ends(), 0);
    let screen = tty.screen.screen();
    let line = screen.rows(0, COLUMNS).position(|row| row.trim_end().len() == usize::from(COLUMNS));
    let line = u16::try_from(line.unwrap_or_else(|| panic!("{}", screen.contents()))).unwrap();
    let coloured = |column| screen.cell(line, column).is_some_and(|cell| cell.fgcolor() != vt100::Color::Default);
    assert!((11..COLUMNS).all(coloured), "{}", screen.contents());
    let mut tty = Tty::run(&bench, &["map", "db"], false);
    assert_eq!(tty.ends(), 0);
    let plain = tty.screen.screen().cell(line, 20).unwrap();
    assert_eq!(plain.fgcolor(), vt100::Color::Default, "NO_COLOR is set");
}
