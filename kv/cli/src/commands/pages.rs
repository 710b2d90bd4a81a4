//! `kv pages`: a table of all pages.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv::{PageInfo, PageKind};
use serde::Serialize;

use crate::failure::Result;
use crate::files::open;
use crate::terminal::Terminal;

/// List all pages: what each is used for and how many items it has
///
/// ITEMS counts keys, or page numbers on the freelist. OVRFLW counts the further pages that belong to this one, because
/// its keys and values need more than one page. For a damaged file, use `kv check` and `kv page --all`. While commits are in
/// a redo log, the pages that they change are in memory, and here they follow those of the file.
#[derive(Debug, Args)]
pub(crate) struct Pages {
    /// The database
    pub(crate) file: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    id: u64,
    r#type: String,
    items: u64,
    overflow: u64,
}

impl From<&PageInfo> for Row {
    fn from(page: &PageInfo) -> Self {
        Self { id: page.id.get(), r#type: page.kind.to_string(), items: page.count, overflow: page.overflow }
    }
}

impl Pages {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let db = open::to_read(&self.file, terminal)?;
        let busy = terminal.progress.busy("reading pages");
        let map = db.begin_read().page_map()?;
        busy.finish_and_clear();
        if self.json {
            return terminal.json(&map.iter().map(Row::from).collect::<Vec<_>>());
        }
        let out = &mut terminal.out;
        writeln!(out, "ID       TYPE       ITEMS  OVRFLW")?;
        writeln!(out, "======== ========== ====== ======")?;
        for page in &map {
            let uncounted = matches!(page.kind, PageKind::Free | PageKind::RedoLog);
            let count = if uncounted { String::new() } else { page.count.to_string() };
            let overflow = if page.overflow == 0 { String::new() } else { page.overflow.to_string() };
            writeln!(out, "{:<8} {:<10} {count:<6} {overflow:<6}", page.id.get(), page.kind.to_string())?;
        }
        Ok(())
    }
}
