//! The whole content in the text form of `kv/tests/fixtures/README.md`, and back.

use std::fmt::Write as _;

use super::{Entry, Model};
use crate::program::BucketPath;
use crate::text::{hex_text, parse_hex, path_text, value_text};

impl Model {
    /// Reads the text form. It must have no value that is printed by its length and hash.
    ///
    /// # Panics
    /// If the text has another form.
    #[must_use]
    pub fn from_dump(text: &str) -> Self {
        let mut root = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let path: BucketPath = words[1].split('/').map(parse_hex).collect();
            let (name, parent) = path.split_last().expect("a path has a name");
            match words[0] {
                "bucket" => {
                    let nested = Self { sequence: words[3].parse().expect("a number"), ..Self::default() };
                    root.expect(parent).entries.insert(name.clone(), Entry::Bucket(nested));
                }
                "kv" => {
                    let value = Entry::Value(parse_hex(words[3]).into());
                    root.expect(&path).entries.insert(parse_hex(words[2]), value);
                }
                _ => {}
            }
        }
        root
    }

    fn expect(&mut self, path: &[Vec<u8>]) -> &mut Self {
        self.bucket_mut(path).expect("a bucket is printed before what is in it")
    }

    /// The text form of a database whose root bucket this is.
    #[must_use]
    pub fn dump(&self) -> String {
        let mut text = String::new();
        for (name, nested) in self.nested() {
            nested.dump_into(&mut vec![name], &mut text);
        }
        text
    }

    fn dump_into<'m>(&'m self, path: &mut Vec<&'m Vec<u8>>, text: &mut String) {
        let shown = path_text(path);
        let _ = writeln!(text, "bucket {shown} seq {}", self.sequence);
        for (key, entry) in &self.entries {
            match entry {
                Entry::Value(value) => {
                    let _ = writeln!(text, "kv {shown} {} {}", hex_text(key), value_text(value));
                }
                Entry::Bucket(nested) => {
                    path.push(key);
                    nested.dump_into(path, text);
                    path.pop();
                }
            }
        }
        let buckets = self.nested().count();
        let _ = writeln!(text, "end {shown} keys {} buckets {buckets}", self.entries.len() - buckets);
    }
}
