//! Notes are found by the beginnings of words, and undo leads back through every state.

use std::path::Path;

use kv_testkit::Random;

fn notes(file: &Path, arguments: &[&str]) -> String {
    crate::run(env!("CARGO_BIN_EXE_notes"), file, arguments, "")
}

#[test]
fn notes_are_found_by_all_beginnings() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("notes.db");
    assert_eq!(notes(&file, &["add", "Buy plums and", "pears"]), "note 1\n");
    assert_eq!(notes(&file, &["add", "Pears: sold. PLUM cake!"]), "note 2\n");
    assert_eq!(notes(&file, &["add", "nothing"]), "note 3\n");
    assert_eq!(notes(&file, &["find", "plum", "PEA"]), "1: Buy plums and pears\n2: Pears: sold. PLUM cake!\n");
    assert_eq!(notes(&file, &["find", "plums"]), "1: Buy plums and pears\n");
    assert_eq!(notes(&file, &["find", "plum", "buy", "cake"]), "");
    assert_eq!(notes(&file, &["find"]), "");
    notes(&file, &["edit", "1", "Buy", "figs"]);
    assert_eq!(notes(&file, &["find", "plum"]), "2: Pears: sold. PLUM cake!\n", "the index follows the change");
    assert_eq!(notes(&file, &["undo"]), "note 1 is as it was\n");
    assert_eq!(notes(&file, &["find", "plums"]), "1: Buy plums and pears\n");
}

#[test]
fn undo_leads_back_through_every_state() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("notes.db");
    let mut random = Random::new(7);
    let mut states = vec![(notes(&file, &["list"]), notes(&file, &["find", "o"]))];
    for step in 0..40 {
        let (id, text) = ((1 + random.below(5)).to_string(), format!("of step {step}"));
        match random.below(3) {
            0 => notes(&file, &["add", &text]),
            1 => notes(&file, &["edit", &id, &text]),
            _ => notes(&file, &["remove", &id]),
        };
        states.push((notes(&file, &["list"]), notes(&file, &["find", "o"])));
    }
    for (list, found) in states.iter().rev().skip(1) {
        notes(&file, &["undo"]);
        assert_eq!((&notes(&file, &["list"]), &notes(&file, &["find", "o"])), (list, found));
    }
    assert_eq!(notes(&file, &["undo"]), "nothing to take back\n");
}

#[test]
fn a_hundred_changes_can_be_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("notes.db");
    for _ in 0..103 {
        notes(&file, &["add", "again"]);
    }
    while notes(&file, &["undo"]) != "nothing to take back\n" {}
    assert_eq!(notes(&file, &["list"]), "1: again\n2: again\n3: again\n");
}
