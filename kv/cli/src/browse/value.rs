//! A value in lines: as text, hex, JSON, or as etcd's row.

use serde_json::Value;

use super::etcd::{self, EtcdRow};
use super::items::Path;
use crate::notation::named;

/// Bytes of a value that are read to be shown.
pub(super) const SHOWN_MAX: usize = 1 << 20;

/// How a value is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Form {
    /// As what it looks like.
    #[default]
    Auto,
    Text,
    Hex,
    Json,
    Etcd,
}

impl Form {
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Auto => Self::Text,
            Self::Text => Self::Hex,
            Self::Hex => Self::Json,
            Self::Json => Self::Etcd,
            Self::Etcd => Self::Auto,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Hex => "hex",
            Self::Json => "JSON",
            Self::Etcd => "etcd",
        }
    }

    /// The form for a value that is shown as what it looks like.
    fn of(path: &Path, key: &[u8], value: &[u8]) -> Self {
        if EtcdRow::decode(path, key, value).is_some() {
            return Self::Etcd;
        }
        let begins = value.trim_ascii_start().first();
        if matches!(begins, Some(b'{' | b'[')) && serde_json::from_slice::<Value>(value).is_ok() {
            return Self::Json;
        }
        if is_text(value) { Self::Text } else { Self::Hex }
    }
}

/// A key as the tree shows it: as text or in hex, etcd's as they are meant.
pub(super) fn row_name(path: &Path, key: &[u8]) -> String {
    etcd::name(path, key).unwrap_or_else(|| named(key))
}

fn is_text(value: &[u8]) -> bool {
    // What was read may end within a character.
    let valid = match std::str::from_utf8(value) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            value.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    valid.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}

/// The value in lines of at most `width` columns, and the form that they have.
pub(super) fn lines(form: Form, path: &Path, key: &[u8], value: &[u8], width: usize) -> (Form, Vec<String>) {
    let form = if form == Form::Auto { Form::of(path, key, value) } else { form };
    let lines = match form {
        Form::Etcd => match EtcdRow::decode(path, key, value) {
            Some(row) => row.lines(width),
            None => vec!["no row of etcd's buckets `key`, `lease` and `meta`".into()],
        },
        Form::Json => match serde_json::from_slice::<Value>(value).and_then(|json| serde_json::to_string_pretty(&json))
        {
            Ok(pretty) => text(pretty.as_bytes(), width),
            Err(error) => vec![format!("no JSON: {error}")],
        },
        Form::Hex => hex_lines(value, width),
        Form::Text | Form::Auto => text(value, width),
    };
    (form, lines)
}

fn text(value: &[u8], width: usize) -> Vec<String> {
    let (text, mut lines) = (String::from_utf8_lossy(value), Vec::new());
    for line in text.split('\n') {
        let shown: Vec<char> = line
            .trim_end_matches('\r')
            .replace('\t', "    ")
            .chars()
            .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
            .collect();
        if shown.is_empty() {
            lines.push(String::new());
        }
        lines.extend(shown.chunks(width.max(1)).map(|part| part.iter().collect::<String>()));
    }
    lines
}

/// Offset, bytes in hex, and those that are text.
fn hex_lines(value: &[u8], width: usize) -> Vec<String> {
    let each = if width >= 76 { 16 } else { 8 };
    let line = |(at, bytes): (usize, &[u8])| {
        let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String =
            bytes.iter().map(|&b| if b.is_ascii_graphic() || b == b' ' { b as char } else { '.' }).collect();
        format!("{:08x}  {:<columns$}  {text}", at * each, pairs.join(" "), columns = each * 3 - 1)
    };
    value.chunks(each).enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(value: &[u8]) -> (Form, Vec<String>) {
        lines(Form::Auto, &Path::new(), b"k", value, 20)
    }

    #[test]
    fn a_value_is_shown_as_what_it_looks_like() {
        assert_eq!(auto(b"one\ntwo"), (Form::Text, vec!["one".into(), "two".into()]));
        assert_eq!(auto(br#"{"a":1}"#), (Form::Json, vec!["{".into(), "  \"a\": 1".into(), "}".into()]));
        assert_eq!(auto(b"{no json"), (Form::Text, vec!["{no json".into()]));
        let (form, shown) = auto(b"\x00A\xff");
        assert_eq!((form, &shown[0][..]), (Form::Hex, "00000000  00 41 ff                 .A."));
        assert_eq!(auto("caf\u{e9}".as_bytes()).0, Form::Text);
        assert_eq!(auto(&"caf\u{e9}".as_bytes()[..4]).0, Form::Text, "cut within a character");
        assert_eq!(auto(b"0123456789012345678901").1, ["01234567890123456789", "01"]);
        assert_eq!(auto(b"\x1b[31mred").0, Form::Hex, "no value writes to the terminal");
    }

    #[test]
    fn every_form_is_reached_in_turn() {
        let all: Vec<Form> = std::iter::successors(Some(Form::Auto), |form| Some(form.next())).take(6).collect();
        assert_eq!((all[5], all[4]), (Form::Auto, Form::Etcd));
    }
}
