//! `kv digest`: hashes of everything in a database.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::failure::{At, Result};
use crate::files::open;
use crate::notation::SideFile;
use crate::terminal::Terminal;

/// Print hashes of everything in the database, for `kv verify` to compare with later
///
/// bbolt's format has no checksums on its data, so `kv check` does not find a flipped bit in a value. Keep a digest of
/// each file that no longer changes, such as a backup, beside the file or elsewhere. After a change, make a new one.
#[derive(Debug, Args)]
#[command(after_help = "\
One line, in hex, for each chunk of a bucket: at least 64 KiB, or the rest of the bucket:
  kv digest 1 sha256
  DEPTH NAME LAST-KEY SHA256   the bucket NAME inside the last bucket of DEPTH - 1;
                               NAME is - for the list of buckets, at depth 0;
                               LAST-KEY is - if the bucket is empty
  end COUNT SHA256             of the lines above
The same content has the same digest in every file: a copy, a compacted one, or one that bbolt wrote.

Examples:
  kv backup -o monday.db FILE && kv digest -o monday.digest monday.db
  kv verify monday.db --digest monday.digest")]
pub(crate) struct Digest {
    /// The database
    pub(crate) file: PathBuf,

    /// The side file to make, which must not exist [default: standard output]
    #[arg(short, long, value_name = "SIDE")]
    output: Option<PathBuf>,
}

impl Digest {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let (db, bar) = open::to_walk(&self.file, "digesting pages", terminal)?;
        let tx = db.begin_read();
        let mut side = SideFile::new();
        tx.digest(|chunk| {
            side.add(&chunk);
            Ok(())
        })?;
        bar.finish_and_clear();
        let text = side.finish();
        match &self.output {
            None => Ok(terminal.out.write_all(text.as_bytes())?),
            Some(path) => pagefile_std::create_whole(path, &mut |file| file.write_all(text.as_bytes())).at(path),
        }
    }
}
