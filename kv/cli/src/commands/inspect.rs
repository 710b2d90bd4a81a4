//! `kv inspect`: the tree of buckets.

use std::path::PathBuf;

use clap::Args;
use kv::BucketStructure;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use std::io::Write;

use crate::failure::Result;
use crate::files::open;
use crate::notation::{Encoding, Text};
use crate::terminal::Terminal;

/// Print the tree of buckets and how many keys each has, as JSON
///
/// Names are strings; those that are not text are {"base64":"..."}.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The database
    pub(crate) file: PathBuf,
}

/// A bucket in the JSON that bbolt prints.
#[derive(Debug, Serialize)]
struct Node {
    name: Text,
    #[serde(rename = "keyN")]
    keys: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    buckets: Vec<Node>,
}

impl From<&BucketStructure> for Node {
    fn from(bucket: &BucketStructure) -> Self {
        let buckets = bucket.children.iter().map(Self::from).collect();
        Self { name: Encoding::Text.text(&bucket.name), keys: bucket.keys, buckets }
    }
}

impl Inspect {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let db = open::to_read(&self.file, terminal)?;
        let busy = terminal.progress.busy("counting keys");
        let structure = db.begin_read().inspect()?;
        busy.finish_and_clear();
        let formatter = PrettyFormatter::with_indent(b"    ");
        Node::from(&structure).serialize(&mut Serializer::with_formatter(&mut terminal.out, formatter))?;
        Ok(writeln!(terminal.out)?)
    }
}
