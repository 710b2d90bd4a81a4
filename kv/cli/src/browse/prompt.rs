//! A line that asks for something.

use super::items::{Change, Path};
use crate::failure::Result;
use crate::notation::{Parse, named};

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Question {
    GoTo(Path),
    Search(Path),
    Filter(Path),
    /// The key to put, and then its value.
    Key(Path),
    Value(Path, Vec<u8>),
    Bucket(Path),
}

/// A question, and what has been typed so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Prompt {
    pub(super) question: Question,
    pub(super) text: String,
}

impl Prompt {
    pub(super) fn new(question: Question) -> Self {
        Self { question, text: String::new() }
    }

    /// What has been typed, as bytes: text, or bytes in hex after `hex:`.
    pub(super) fn bytes(&self) -> Result<Vec<u8>> {
        Ok(Parse::Auto.bytes(&self.text)?)
    }

    /// The line, up to what is typed.
    pub(super) fn label(&self) -> String {
        match &self.question {
            Question::GoTo(path) => format!("go to key{}: ", place(path)),
            Question::Search(path) => format!("find in keys{}: ", place(path)),
            Question::Filter(path) => format!("only keys{} that begin with: ", place(path)),
            Question::Key(path) => format!("put{}, key: ", place(path)),
            Question::Value(path, key) => format!("put{}, value of {}: ", place(path), named(key)),
            Question::Bucket(path) => format!("new bucket{}: ", place(path)),
        }
    }
}

/// Where a path leads, in a message.
pub(super) fn place(path: &Path) -> String {
    if path.is_empty() {
        return String::new();
    }
    format!(" in {}", path.iter().map(|name| named(name)).collect::<Vec<_>>().join("/"))
}

/// What is to be confirmed.
pub(super) fn question(change: &Change) -> String {
    match change {
        Change::Put { path, key, value } => {
            format!("put {} = {} ({} bytes){}?", named(key), short(value), value.len(), place(path))
        }
        Change::Delete { path, key } => format!("delete {}{}?", named(key), place(path)),
        Change::NewBucket { path, name } => format!("make bucket {}{}?", named(name), place(path)),
        Change::DeleteBucket { path, name } => {
            format!("delete bucket {} and everything in it{}?", named(name), place(path))
        }
    }
}

/// The beginning of a value.
fn short(value: &[u8]) -> String {
    const SHOWN: usize = 24;
    let shown: String = named(value).chars().take(SHOWN).collect();
    if value.len() > SHOWN { format!("{shown}...") } else { shown }
}
