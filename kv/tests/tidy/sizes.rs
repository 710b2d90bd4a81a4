//! How long things may be, and what they must not be called.

use crate::lines;
use crate::source::{Finding, Source, line_of, words};

pub(crate) const FILE_LINES_MAX: usize = 500;
pub(crate) const FUNCTION_LINES_MAX: usize = 70;

pub(crate) fn sizes(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = source.code.lines().filter(|line| !line.trim().is_empty()).count();
    if lines > FILE_LINES_MAX {
        findings
            .push(source.finding(0, format!("{lines} lines of code: at most {FILE_LINES_MAX}, a file has one idea")));
    }
    for at in source.words("fn") {
        let lines = function_lines(&source.code[at..]);
        if lines > FUNCTION_LINES_MAX {
            findings.push(source.finding(at, format!("a function of {lines} lines: at most {FUNCTION_LINES_MAX}")));
        }
    }
    findings
}

/// Lines from `fn` to the brace that closes the body; 0 where there is no body.
pub(crate) fn function_lines(code: &str) -> usize {
    let Some(open) = code.find(['{', ';']).filter(|&at| code[at..].starts_with('{')) else { return 0 };
    let mut depth = 0;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return line_of(code, open + at);
        }
    }
    0
}

pub(crate) fn names_and_words(source: &Source) -> Vec<Finding> {
    const DRAWERS: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "misc", "types", "stuff"];
    // Written in two halves, or this file would find itself.
    const PROMISES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let mut findings = Vec::new();
    for part in source.path.trim_end_matches(".rs").split('/').filter(|part| DRAWERS.contains(part)) {
        findings.push(source.finding(0, format!("`{part}` is a drawer, not a name: say what is in it")));
    }
    for word in PROMISES {
        let found = words(&source.text, word);
        findings.extend(found.into_iter().map(|at| source.finding(at, format!("`{word}`: do it, or open an issue"))));
    }
    if let Some(at) = source.text.bytes().position(|byte| !byte.is_ascii()) {
        findings.push(source.finding(at, "not ASCII"));
    }
    findings
}

#[test]
fn what_is_too_long_or_badly_named_is_found() {
    let body = "    f();\n".repeat(FUNCTION_LINES_MAX - 2);
    let fitting = format!("/// A doc.\nfn f() {{\n{body}}}\n");
    assert_eq!(lines(sizes, "kv/src/lib.rs", &fitting), []);
    assert_eq!(lines(sizes, "kv/src/lib.rs", &fitting.replace("fn f() {", "fn f()\n{")), [2]);
    assert_eq!(lines(sizes, "kv/src/lib.rs", "trait T {\n    fn f();\n    fn g();\n}\n"), []);
    let long = "const A: u8 = 0;\n\n// Not code.\n".repeat(FILE_LINES_MAX);
    assert_eq!(lines(sizes, "kv/src/lib.rs", &long), []);
    assert_eq!(lines(sizes, "kv/src/lib.rs", &format!("{long}const B: u8 = 0;\n")), [1]);

    assert_eq!(lines(names_and_words, "kv/src/tx/util.rs", ""), [1]);
    assert_eq!(lines(names_and_words, "kv/tests/common/mod.rs", ""), [1]);
    assert_eq!(lines(names_and_words, "kv/src/tx/mod.rs", concat!("\n// TO", "DO: later\n")), [2]);
    assert_eq!(lines(names_and_words, "kv/src/tx/mod.rs", "\n\nconst A: &str = \"\u{e9}\";\n"), [3]);
}
