//! `.ci/targets` lists the targets; what else names them says the same.

#[macro_use]
extern crate kv_testkit;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("kv lies in the workspace");
    fs::read_to_string(top.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Word, target, when and how of each line of `.ci/targets`.
fn targets() -> BTreeSet<[String; 4]> {
    let list = read(".ci/targets");
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| fields(line.split_whitespace().take(4)).unwrap_or_else(|| panic!("four fields: {line}"))).collect()
}

fn fields<'l>(words: impl Iterator<Item = &'l str>) -> Option<[String; 4]> {
    words.map(str::to_owned).collect::<Vec<_>>().try_into().ok()
}

/// Rows `| word | target | what it is there for | how | when |` have the target in backquotes.
#[test]
fn the_document_has_a_row_for_each_target() {
    let document = read("kv/docs/PLATFORMS.md");
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [word, target, _, how, when] = cells[..] else { return None };
        fields([word, target, when, how].into_iter())
    };
    let rows = document.lines().skip_while(|line| !line.starts_with("| word |")).skip(2);
    let rows: BTreeSet<_> = rows.take_while(|line| line.starts_with('|')).filter_map(row).collect();
    assert_eq!(rows, targets());
}

#[test]
fn cross_has_settings_for_each_target_of_linux() {
    let settings = read("Cross.toml");
    let named: BTreeSet<String> = settings
        .lines()
        .filter_map(|line| line.strip_prefix("[target."))
        .map(|rest| rest.split(['.', ']']).next().expect("split gives one part or more").to_owned())
        .collect();
    let linux = targets().into_iter().map(|[_, target, ..]| target).filter(|target| target.contains("-linux-"));
    assert_eq!(named, linux.collect());
}

#[test]
fn the_workflow_names_none() {
    let workflow = read(".github/workflows/ci.yml");
    for [_, target, ..] in targets() {
        assert!(!workflow.contains(&target), "{target} is in .ci/targets");
    }
}
