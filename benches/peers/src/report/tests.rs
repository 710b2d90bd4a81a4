use std::path::Path;

use super::*;
use crate::journal::Outcome;
use crate::work::WORKS;

/// A journal in which each engine takes as many microseconds as its place and the round say.
fn journal(dir: &Path) -> Journal {
    let mut journal = Journal::open(&dir.join("journal")).unwrap();
    for work in WORKS {
        for round in 0..3 {
            for (place, engine) in [(4.0, "lmdb"), (1.0, "kv"), (8.0, "redb")] {
                let time = place * (1.0 + f64::from(u8::try_from(round).unwrap()));
                let figures =
                    Figures { cpu: time * 1e3, wall: time * 2e3, p50: 1.0, p99: 2.0, max: 3.0, anonymous: None };
                let subject = Subject { work: work.name.to_owned(), round, engine: engine.to_owned(), pairs: 1000 };
                journal.keep(subject, Outcome::Done(figures)).unwrap();
            }
        }
    }
    journal
}

fn report(journal: &Journal) -> Report<'_> {
    let peers = ["lmdb", "kv", "redb"].map(|name| Peer::named(name).unwrap()).to_vec();
    Report { journal, peers, pairs: 1000, rounds: 3, free: Vec::new() }
}

#[test]
fn readme_gets_the_rows_that_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    let rows = readme_rows(&report(&journal));
    let readme = include_str!("../../../../README.md");
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    assert_eq!(cells(rows.lines().next().unwrap()), ["", "work", "LMDB", "kv", "redb", ""]);
    assert!(readme.contains("| work | LMDB | kv | redb |"), "README's table has other columns");
    let get = rows.lines().map(cells).find(|cells| cells[1] == "random get").unwrap();
    assert_eq!(get[2..], ["8.00 us", "4.00", "0.50", ""]);
}

#[test]
fn each_work_has_its_picture() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    draw(&report(&journal), dir.path()).unwrap();
    for work in WORKS {
        let picture = std::fs::read_to_string(dir.path().join(format!("{}.svg", work.name))).unwrap();
        assert!(picture.contains(work.title) && picture.matches("<rect").count() >= 7, "{}", work.name);
    }
}

#[test]
fn the_page_says_what_was_not_done() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = journal(dir.path());
    let subject = Subject { work: "get".to_owned(), round: 0, engine: "redb".to_owned(), pairs: 1000 };
    journal.keep(subject, Outcome::Failed("disk full".to_owned())).unwrap();
    let page = page(&report(&journal), dir.path());
    assert!(page.contains("- redb, get of 1000: disk full") && page.contains("2 cores"), "{page}");
}
