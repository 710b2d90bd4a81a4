//! `kv browse`: looking around in a file.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::browse::{Database, Input, State, inputs, picture, run};
use crate::failure::{At, Failure, Result, explain};
use crate::files::new_file::refuse_existing;
use crate::terminal::Terminal;

/// Look around in a terminal: buckets, keys, values and pages
///
/// Buckets and keys are a tree; values are shown as text, hex or JSON, and etcd's rows decoded. Reads what is on the screen and nothing else, so files of any size open at once. While it runs, it holds the file's lock:
/// for reading, or with --write for writing. With --live it holds none, and each key pressed shows the newest state.
#[derive(Debug, Args)]
#[command(after_help = "\
Keys:
  arrows, PageUp, PageDown, Home, End   move; right or Enter unfolds a bucket, left folds it
  Tab          arrows move in the value and back
  g  /  n      go to a key, find text in keys, find it again
  f, Esc       show only keys that begin so, show all again
  v            the value as text, hex, JSON, etcd's row, or as what it looks like
  p            the pages on the way to the key, how full they are, and the map of the file
  a  e  d  b   with --write: put a key, edit a value, delete, make a bucket; each is confirmed
  q, Ctrl-C    quit
A click selects, a click on what is selected unfolds, the wheel scrolls. Bytes are typed as hex:00ff.

Examples:
  kv browse FILE
  kv browse --write FILE
  kv browse --live member/snap/db                 while an etcd writes it
  kv browse --keys '<Right><Down>p' --picture screen.svg FILE   the screen after these keys, as a picture")]
pub(crate) struct Browse {
    /// The database
    pub(crate) file: PathBuf,

    /// Allow changes, each of which is one transaction
    #[arg(long)]
    write: bool,

    /// Type these keys first: characters, and names such as <Down>, <Enter> or <Esc>
    #[arg(long, value_name = "KEYS", default_value = "", hide_default_value = true, value_parser = typed)]
    keys: Typed,

    /// Draw the screen into this new SVG file, and end
    #[arg(long, value_name = "FILE", conflicts_with = "write")]
    picture: Option<PathBuf>,

    /// Columns and rows of the picture
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "100x28", value_parser = size)]
    size: (u16, u16),
}

/// Keys of a command line.
#[derive(Clone, Debug)]
struct Typed(Vec<Input>);

fn typed(text: &str) -> Result<Typed, String> {
    inputs(text).map(Typed)
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let sides = text.split_once('x').and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)));
    let fits = |(columns, rows): &(u16, u16)| (20..=400).contains(columns) && (8..=200).contains(rows);
    sides.filter(fits).ok_or_else(|| "give columns and rows as 100x28, from 20x8 to 400x200".into())
}

impl Browse {
    /// Whether it was asked to change the file.
    pub(crate) fn writes(&self) -> bool {
        self.write
    }

    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let (columns, rows) = match (&self.picture, terminal.size) {
            (Some(path), _) => {
                refuse_existing(path)?;
                self.size
            }
            (None, Some(size)) => size,
            (None, None) => {
                return Err(Failure::Usage("there is no terminal to draw on: `kv scan` prints what is there".into()));
            }
        };
        let database = Database::open(&self.file, self.write, terminal)?;
        let name = self.file.file_name().unwrap_or(self.file.as_os_str()).to_string_lossy().into_owned();
        let mut state = State::new(name, columns, rows, &database)?;
        for input in &self.keys.0 {
            state.take(*input, &database);
            while state.is_busy() {
                state.work(&database);
            }
            // What is typed next may depend on what is shown, as a scroll does.
            state.screen(&database);
        }
        match &self.picture {
            Some(path) => write_picture(path, &picture(&mut state, &database, self.size)),
            None => run(&mut state, &database, terminal.colours)
                .map_err(|error| Failure::Refused(format!("cannot use the terminal: {}", explain(&error)))),
        }
    }
}

fn write_picture(path: &Path, svg: &str) -> Result<()> {
    pagefile_std::create_whole(path, &mut |file| file.write_all(svg.as_bytes())).at(path)
}
