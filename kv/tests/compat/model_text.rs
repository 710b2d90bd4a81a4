//! The model's whole content in the text form of `fixtures/README.md`, and back.

use std::fmt::Write as _;

use crate::model::{Item, Model, Node};
use crate::program::BucketPath;
use crate::text::{hex_text, parse_hex, path_text, value_text};

impl Model {
    /// Reads the text form back. It must have no value longer than that form
    /// prints whole.
    pub(crate) fn from_dump(text: &str) -> Self {
        let mut model = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let path: BucketPath = words[1].split('/').map(parse_hex).collect();
            match words[0] {
                "bucket" => {
                    let (name, parent) = path.split_last().expect("a path has a name");
                    let sequence = words[3].parse().expect("a number");
                    let mut node = Node::default();
                    node.sequence = sequence;
                    let parent = model.bucket_mut(parent).expect("printed before what is in it");
                    parent.items.insert(name.clone(), Item::Bucket(node));
                }
                "kv" => {
                    let node = model.bucket_mut(&path).expect("printed before what is in it");
                    node.items.insert(parse_hex(words[2]), Item::Value(parse_hex(words[3]).into()));
                }
                _ => {}
            }
        }
        model
    }

    /// The content in the text form of `fixtures/README.md`.
    pub(crate) fn dump(&self) -> String {
        let mut text = String::new();
        for (name, item) in &self.root.items {
            if let Item::Bucket(node) = item {
                node.dump(&mut vec![name], &mut text);
            }
        }
        text
    }
}

impl Node {
    fn dump<'m>(&'m self, path: &mut Vec<&'m Vec<u8>>, text: &mut String) {
        let shown = path_text(path);
        let _ = writeln!(text, "bucket {shown} seq {}", self.sequence);
        for (key, item) in &self.items {
            match item {
                Item::Value(value) => {
                    let _ = writeln!(text, "kv {shown} {} {}", hex_text(key), value_text(value));
                }
                Item::Bucket(node) => {
                    path.push(key);
                    node.dump(path, text);
                    path.pop();
                }
            }
        }
        let buckets = self.nested().count();
        let _ = writeln!(text, "end {shown} keys {} buckets {buckets}", self.items.len() - buckets);
    }
}
