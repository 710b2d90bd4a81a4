//! `kv pages`: a table of all pages.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv::PageKind;
use serde_json::json;

use crate::failure::Result;
use crate::terminal::Terminal;
use crate::{open, progress};

/// List all pages: what each is used for, how many items it has
///
/// ITEMS are keys, or for the freelist, page ids. OVRFLW is how many more pages belong to this one, because its keys
/// and values take more than a page. In a damaged file use `kv check` and `kv page --all`.
#[derive(Debug, Args)]
pub(crate) struct Pages {
    /// The database
    pub(crate) file: PathBuf,

    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Pages {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        let db = open::to_read(&self.file, terminal)?;
        let busy = progress::busy("reading pages");
        let map = db.begin_read()?.page_map()?;
        busy.finish_and_clear();
        if self.json {
            let rows: Vec<_> = map
                .iter()
                .map(|page| {
                    json!({
                        "id": page.id.get(),
                        "type": page.kind.to_string(),
                        "items": page.count,
                        "overflow": page.overflow,
                    })
                })
                .collect();
            return terminal.json(&rows);
        }
        let out = &mut terminal.out;
        writeln!(out, "ID       TYPE       ITEMS  OVRFLW")?;
        writeln!(out, "======== ========== ====== ======")?;
        for page in &map {
            let free = page.kind == PageKind::Free;
            let count = if free { String::new() } else { page.count.to_string() };
            let overflow = if page.overflow == 0 { String::new() } else { page.overflow.to_string() };
            writeln!(out, "{:<8} {:<10} {count:<6} {overflow:<6}", page.id.get(), page.kind.to_string())?;
        }
        Ok(())
    }
}
