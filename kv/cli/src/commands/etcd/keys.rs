//! `kv etcd keys`: the keys of etcd's store.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv_etcd::mvcc::RangeRequest;

use super::store;
use crate::failure::Result;
use crate::notation::{Format, Pair};
use crate::terminal::Terminal;

/// List the keys of etcd's store, one a line
#[derive(Debug, Args)]
pub(crate) struct Keys {
    /// etcd's database or snapshot
    pub(crate) file: PathBuf,

    /// How the keys begin
    #[arg(long, default_value = "")]
    prefix: String,

    /// The revision [default: the newest]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    rev: i64,

    /// How each is shown
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,

    /// One JSON object a line, with revisions and version
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl Keys {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let store = store::to_read(&self.file, terminal)?;
        let mut request = RangeRequest {
            limit: PAGE,
            revision: self.rev,
            keys_only: true,
            ..RangeRequest::prefix(self.prefix.clone())
        };
        loop {
            let page = store.range(request.clone()).map_err(store::refused)?;
            for kv in &page.kvs {
                if self.json {
                    serde_json::to_writer(&mut terminal.out, &Pair::new(kv, false))?;
                    terminal.out.write_all(b"\n")?;
                } else {
                    self.format.writeln(&mut terminal.out, &kv.key)?;
                }
            }
            let Some(last) = page.kvs.last().filter(|_| page.more) else { return Ok(()) };
            request.key = [&last.key[..], b"\0"].concat().into();
        }
    }
}

/// Keys that are in memory at a time.
const PAGE: i64 = 10_000;
