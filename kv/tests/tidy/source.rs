//! A source file, and what of it is code.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path from the top of the workspace, its text, and the text with everything that is not code
/// (comments, insides of strings and characters) blanked out.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blank(text) }
    }

    pub(crate) fn finding(&self, offset: usize, rule: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line: line_of(&self.text, offset), rule: rule.into() }
    }

    /// Offsets in the code at which `word` stands by itself.
    pub(crate) fn words(&self, word: &str) -> Vec<usize> {
        words(&self.code, word)
    }

    /// The code before the tests at the file's end; none in a file that has nothing else.
    pub(crate) fn product(&self) -> &str {
        if self.code.contains("\n#![cfg(test)]\n") {
            return "";
        }
        self.code.split_once("\nmod tests {").map_or(&self.code, |(product, _)| product)
    }
}

/// A rule that is broken, and where.
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) rule: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text[..offset].matches('\n').count()
}

pub(crate) fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

pub(crate) fn words(text: &str, word: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let alone = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !is_word(before) && !is_word(bytes.get(at + word.len()))
    };
    text.match_indices(word).map(|(at, _)| at).filter(|&at| alone(at)).collect()
}

/// The text with comments and the insides of strings and characters as spaces; lines and offsets stay.
pub(crate) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => end_of_line(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => end_of_comment(bytes, at),
            b'"' => end_of_string(bytes, at),
            b'r' if !is_word(at.checked_sub(1).and_then(|before| bytes.get(before)).filter(|byte| **byte != b'b')) => {
                end_of_raw_string(bytes, at)
            }
            b'\'' => end_of_character(bytes, at),
            _ => at,
        };
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end.max(at + 1);
    }
    String::from_utf8(code).expect("what is blanked is whole characters")
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |len| at + len)
}

fn end_of_comment(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut end) = (0, at);
    while end < bytes.len() {
        match &bytes[end..] {
            [b'/', b'*', ..] => (depth, end) = (depth + 1, end + 2),
            [b'*', b'/', ..] => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            break;
        }
    }
    end
}

fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

/// `at` itself where no raw string begins.
pub(crate) fn end_of_raw_string(bytes: &[u8], at: usize) -> usize {
    let hashes = bytes[at + 1..].iter().take_while(|&&byte| byte == b'#').count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return at;
    }
    let close = [&b"\""[..], &vec![b'#'; hashes]].concat();
    let len = bytes[open + 1..].windows(close.len()).position(|window| window == close);
    len.map_or(bytes.len(), |len| open + 1 + len + close.len())
}

/// `at` itself where a lifetime begins.
pub(crate) fn end_of_character(bytes: &[u8], at: usize) -> usize {
    match &bytes[at + 1..] {
        [b'\\', _, rest @ ..] => {
            rest.iter().position(|&byte| byte == b'\'').map_or(bytes.len(), |len| at + 3 + len + 1)
        }
        [_, b'\'', ..] => at + 3,
        _ => at,
    }
}

/// All sources of the workspace.
pub(crate) fn workspace() -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("kv lies in the workspace");
    let mut waiting: Vec<PathBuf> =
        ["freelist-core", "pagefile-std", "kv", "benches"].map(|name| top.join(name)).into();
    let mut sources = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            waiting.extend(entries.filter(|path| !path.ends_with("target")));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let from_top = path.strip_prefix(top).unwrap().components().map(|part| part.as_os_str().to_str().unwrap());
            sources.push(Source::new(&from_top.collect::<Vec<_>>().join("/"), &fs::read_to_string(&path).unwrap()));
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

#[test]
fn only_code_is_code() {
    for (text, code) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("x\"y", b'z')"#, "f(      , b   )"),
        ("r#\"a \"b\" c\"# + r\"d\"", "             +     "),
        ("'a: loop { '\\'' '{' }", "'a: loop {          }"),
        ("for b in br\"x\"", "for b in b    "),
    ] {
        assert_eq!(blank(text), code, "{text}");
    }
}
