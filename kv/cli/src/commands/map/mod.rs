//! `kv map`: a picture of the file.

mod svg;
mod text;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::failure::{At, Result};
use crate::files::new_file::refuse_existing;
use crate::files::survey::{FreeSpace, LengthClass, Survey, Use};
use crate::terminal::Terminal;

/// Draw what each page of the file is used for, and how fragmented the free pages are
#[derive(Debug, Args)]
#[command(after_help = "\
Each letter is a page. In a large file it is several pages: the use of most of them, in a small letter if they differ.
  M meta   F freelist   R redo log   B branch   L leaf   p pending   . free
A pending page was freed by the last transaction. The state before, to which a crash may return, still needs it.

A redo log has the commits of a program that has the file open with it, or has crashed. The pages that they change are in \
memory, and follow those of the file here.

Examples:
  kv map FILE
  kv map --svg map.svg FILE")]
pub(crate) struct Map {
    /// The database
    pub(crate) file: PathBuf,

    /// Draw an SVG picture into this new file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Letters in a line [default: as many as fit the terminal, or 64]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(8..=1024))]
    width: Option<u16>,

    /// Print the figures as JSON
    #[arg(long, conflicts_with = "svg")]
    json: bool,
}

impl Map {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        if let Some(path) = &self.svg {
            refuse_existing(path)?;
        }
        let survey = Survey::of(&self.file, terminal)?;
        if let Some(path) = &self.svg {
            let name = self.file.file_name().unwrap_or(self.file.as_os_str()).to_string_lossy();
            let drawn = svg::draw(&survey, &name);
            return pagefile_std::create_whole(path, &mut |file| file.write_all(drawn.as_bytes())).at(path);
        }
        if self.json {
            return terminal.json(&Figures::of(&survey));
        }
        let width = self.width.unwrap_or_else(|| terminal.size.map_or(64, |(columns, _)| text::letters(columns)));
        text::draw(&survey, width.into(), terminal.colours, &mut terminal.out)
    }
}

#[derive(Debug, Serialize)]
struct Figures {
    page_size: u32,
    transaction: u64,
    pages: usize,
    meta: usize,
    freelist: usize,
    redo_log: usize,
    branch: usize,
    leaf: usize,
    pending: usize,
    free: usize,
    free_runs: usize,
    longest_free_run: usize,
    free_runs_by_length: Vec<LengthClass>,
}

impl Figures {
    fn of(survey: &Survey) -> Self {
        let free = FreeSpace::of(&survey.pages);
        let count = |used| survey.pages.iter().filter(|&&page| page == used).count();
        Self {
            page_size: survey.page_size,
            transaction: survey.tx,
            pages: survey.pages.len(),
            meta: count(Use::Meta),
            freelist: count(Use::Freelist),
            redo_log: count(Use::RedoLog),
            branch: count(Use::Branch),
            leaf: count(Use::Leaf),
            pending: count(Use::Pending),
            free: count(Use::Free),
            free_runs: free.runs,
            longest_free_run: free.longest,
            free_runs_by_length: free.by_length,
        }
    }
}
