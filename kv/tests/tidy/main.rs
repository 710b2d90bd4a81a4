//! The rules for the sources: which room may use which, where `unsafe` and `sync` are allowed, how long things may be.
//!
//! Everything is read off the sources of the workspace, so a line in the wrong room fails the ordinary test run. Each
//! rule is a function from a file to findings, and is shown to find something by a planted line.

#[macro_use]
extern crate kv_testkit;

mod assertions;
mod confined;
mod features;
mod flow;
mod sizes;
mod source;

use confined::{confined, forbids_unsafe};
use flow::{ROOMS, one_way_flow};
use sizes::{names_and_words, sizes};
use source::{Finding, Source, workspace};

const RULES: [fn(&Source) -> Vec<Finding>; 5] = [one_way_flow, confined, forbids_unsafe, sizes, names_and_words];

#[test]
fn the_workspace_keeps_its_rules() {
    let sources = workspace();
    for room in ROOMS {
        let prefix = format!("kv/src/{room}/");
        assert!(sources.iter().any(|source| source.path.starts_with(&prefix)), "{prefix} is gone: mend this test");
    }
    let findings: Vec<String> = sources
        .iter()
        .flat_map(|source| RULES.iter().flat_map(move |rule| rule(source)))
        .map(|finding| finding.to_string())
        .collect();
    assert!(findings.is_empty(), "{} broken rules:\n{}", findings.len(), findings.join("\n"));
}

/// The lines in which `rule` finds something in `text`, as if it were at `path`.
fn lines(rule: fn(&Source) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
    rule(&Source::new(path, text)).into_iter().map(|finding| finding.line).collect()
}
