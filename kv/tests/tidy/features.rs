//! The table of features: behind each yes is something that is there.

use std::fs;
use std::path::Path;

const TABLE: &str = "docs/FEATURES.md";

/// The links of a text in the form `[words](path "what is in that file")`.
fn links(text: &str) -> Vec<(&str, &str)> {
    let ends = text.match_indices("](");
    let inside = ends.filter_map(|(at, _)| text[at + 2..].split_once(')').map(|(link, _)| link));
    inside.filter_map(|link| link.split_once(" \"").map(|(path, title)| (path, title.trim_end_matches('"')))).collect()
}

/// What is wrong with a row.
fn broken(package: &Path, row: &str) -> Option<String> {
    let cell = row.split(" | ").nth(1).unwrap_or_default();
    let links = links(cell);
    if links.is_empty() {
        return (!cell.starts_with("no")).then(|| format!("nothing behind `{cell}`"));
    }
    links.into_iter().find_map(|(path, title)| {
        let text = fs::read_to_string(package.join("docs").join(path)).unwrap_or_default();
        (!text.contains(title)).then(|| format!("{path} has no `{title}`"))
    })
}

#[test]
fn each_yes_has_something_behind_it() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(package.join(TABLE)).unwrap();
    let table = text.split("\n## ").next().unwrap_or_default();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    assert!(rows.len() > 20, "{TABLE} has its table");
    let found: Vec<String> =
        rows.iter().filter_map(|row| Some(format!("{row}\n  {}", broken(package, row)?))).collect();
    assert!(found.is_empty(), "{TABLE}:\n{}", found.join("\n"));

    for planted in ["| a | yes | no |", "| a | [yes](../Cargo.toml \"nowhere\") | no |", "| a | [yes](../x.rs \"y\") |"]
    {
        assert!(broken(package, planted).is_some(), "{planted}");
    }
}
