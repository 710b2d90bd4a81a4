//! `kv dump`: pages in hex.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::arguments::raw_pages::{RawOptions, page_id};
use crate::failure::Result;
use crate::terminal::Terminal;

/// Print pages in hex, 16 bytes a line
///
/// Works on damaged files. A `*` replaces repeated lines.
#[derive(Debug, Args)]
pub(crate) struct Dump {
    /// The database
    pub(crate) file: PathBuf,

    /// The pages
    #[arg(required = true, value_name = "PAGE")]
    pages: Vec<u64>,

    #[command(flatten)]
    raw: RawOptions,
}

impl Dump {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let file = self.raw.open(&self.file, terminal)?;
        for (index, &page) in self.pages.iter().enumerate() {
            if index > 0 {
                terminal.separator()?;
            }
            let bytes = file.bytes(page_id(&file, page)?)?;
            dump(&mut terminal.out, page * u64::from(file.page_size()), &bytes)?;
        }
        Ok(())
    }
}

fn dump(out: &mut impl Write, start: u64, bytes: &[u8]) -> Result<()> {
    const LINE: usize = 16;
    let (mut before, mut skipping) = (None, false);
    let lines = bytes.len() / LINE;
    for (index, line) in bytes.chunks(LINE).enumerate() {
        let at = start + (index * LINE) as u64;
        if before == Some(line) && index + 1 < lines {
            if !skipping {
                writeln!(out, "{at:07x} *")?;
            }
            skipping = true;
        } else {
            write!(out, "{at:07x}")?;
            for pair in line.chunks(2) {
                write!(out, " {}", hex::encode(pair))?;
            }
            writeln!(out)?;
            skipping = false;
        }
        before = Some(line);
    }
    Ok(writeln!(out)?)
}
