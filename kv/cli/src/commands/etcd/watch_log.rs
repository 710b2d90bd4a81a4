//! `kv etcd watch-log`: what a watch would have seen.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kv_etcd::mvcc::{Event, WatchRequest, WatchUpdate};
use serde::Serialize;

use super::store;
use crate::failure::{Failure, Result};
use crate::notation::{Format, Pair};
use crate::terminal::Terminal;

/// List every change from a revision on, as a watch sees them
#[derive(Debug, Args)]
pub(crate) struct WatchLog {
    /// etcd's database or snapshot
    pub(crate) file: PathBuf,

    /// How the keys begin
    #[arg(long, default_value = "")]
    prefix: String,

    /// The first revision [default: the oldest that is there]
    #[arg(long)]
    rev: Option<i64>,

    /// How keys and values are shown
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,

    /// One JSON object a line
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Change {
    revision: i64,
    delete: bool,
    kv: Pair,
}

impl WatchLog {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let store = store::to_read(&self.file, terminal)?;
        let start_revision = self.rev.unwrap_or_else(|| store.compact_revision().max(1));
        if start_revision > store.revision() {
            return Ok(());
        }
        let request = WatchRequest { start_revision, ..WatchRequest::prefix(self.prefix.clone()) };
        let mut watcher = store.watch(request, || ()).map_err(store::refused)?;
        while let Some(update) = watcher.next_timeout(Duration::ZERO).map_err(store::refused)? {
            match update {
                WatchUpdate::Events(events) => {
                    events.events.iter().try_for_each(|event| self.print(event, &mut terminal.out))?;
                }
                WatchUpdate::Compacted { compact_revision } => {
                    let text = format!("revision {start_revision} is gone: {compact_revision} was compacted");
                    return Err(Failure::Problem(text));
                }
                WatchUpdate::Progress { .. } => {}
            }
        }
        Ok(())
    }

    fn print(&self, event: &Event, out: &mut impl Write) -> Result<()> {
        if self.json {
            let kv = Pair::new(&event.kv, !event.is_delete);
            serde_json::to_writer(&mut *out, &Change { revision: event.kv.mod_revision, delete: event.is_delete, kv })?;
            return Ok(out.write_all(b"\n")?);
        }
        write!(out, "{} {} ", event.kv.mod_revision, if event.is_delete { "delete" } else { "put" })?;
        self.format.write(out, &event.kv.key)?;
        if !event.is_delete {
            out.write_all(b" ")?;
            self.format.write(out, &event.kv.value)?;
        }
        Ok(out.write_all(b"\n")?)
    }
}
