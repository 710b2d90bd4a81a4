//! `kv etcd get`: one value of etcd's store.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv_etcd::mvcc::RangeRequest;

use super::store;
use crate::failure::{Failure, Result};
use crate::notation::{Format, Pair, Parse, quoted_or_hex};
use crate::terminal::Terminal;

/// Print the value of a key of etcd's store, now or at an older revision
///
/// The exit code is 1 if the key is not there.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// etcd's database or snapshot
    pub(crate) file: PathBuf,

    /// The key
    key: String,

    /// The revision [default: the newest]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    rev: i64,

    /// How the key is written on the command line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    parse_format: Parse,

    /// How the value is shown; `bytes` adds no newline
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,

    /// Print JSON, with revisions and version
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl Get {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let key = self.parse_format.bytes(&self.key)?;
        let store = store::to_read(&self.file, terminal)?;
        let request = RangeRequest { revision: self.rev, ..RangeRequest::key(key.clone()) };
        let found = store.range(request).map_err(store::refused)?;
        let Some(kv) = found.kvs.first() else {
            return Err(Failure::Problem(format!("there is no key {}", quoted_or_hex(&key))));
        };
        if self.json {
            return terminal.json(&Pair::new(kv, true));
        }
        if self.format == Format::Bytes {
            return Ok(terminal.out.write_all(&kv.value)?);
        }
        Ok(self.format.writeln(&mut terminal.out, &kv.value)?)
    }
}
