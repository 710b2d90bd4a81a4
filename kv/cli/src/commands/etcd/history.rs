//! `kv etcd history`: what became of a key.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::store;
use crate::failure::{Failure, Result};
use crate::notation::{Format, Pair, Parse, quoted_or_hex};
use crate::terminal::Terminal;

/// List every change of a key that the file still has, oldest first
#[derive(Debug, Args)]
pub(crate) struct History {
    /// etcd's database or snapshot
    pub(crate) file: PathBuf,

    /// The key
    key: String,

    /// How the key is written on the command line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    parse_format: Parse,

    /// How values are shown
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,

    /// One JSON object a line
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Change {
    revision: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    put: Option<Pair>,
}

impl History {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let key = self.parse_format.bytes(&self.key)?;
        let store = store::to_read(&self.file, terminal)?;
        let changes = store.history(&key).map_err(store::refused)?;
        if changes.is_empty() {
            return Err(Failure::Problem(format!("there is no key {}", quoted_or_hex(&key))));
        }
        for (revision, kv) in changes {
            let out = &mut terminal.out;
            match &kv {
                _ if self.json => {
                    let put = kv.as_ref().map(|kv| Pair::new(kv, true));
                    serde_json::to_writer(&mut *out, &Change { revision: revision.main, put })?;
                    out.write_all(b"\n")?;
                }
                Some(kv) => {
                    write!(out, "{} put version {} ", revision.main, kv.version)?;
                    self.format.writeln(out, &kv.value)?;
                }
                None => writeln!(out, "{} delete", revision.main)?,
            }
        }
        Ok(())
    }
}
