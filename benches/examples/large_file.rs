//! Makes a large file to look around in, with `kv browse` for example.
//!
//! ```sh
//! cargo run --release -p benches --example large_file -- FILE 10000000 100
//! cargo run --release -p benches --example large_file -- FILE 1000000 100000    # 100 GB, 4 of them on the disk
//! ```
//!
//! FILE, which must not exist, gets so many pairs of twelve digits and a value of so many bytes. The values are zeros, and
//! blocks of zeros are not written behind what has been written: the file has holes there, which are read as zeros.

use std::error::Error;
use std::io::IoSlice;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use kv::Options;
use pagefile_std::{FileOptions, PageFile, PageStore, StoreError, View};

const BLOCK: u64 = 4096;

/// A file in which zeros behind its end of what was written take no room.
#[derive(Debug)]
struct Sparse {
    file: PageFile,
    /// Nothing was written from here on.
    end: AtomicU64,
}

impl Sparse {
    /// Writes from `offset` on what lies in one block.
    fn write_block(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        if offset >= self.end.load(Ordering::Relaxed) && bytes.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        self.end.fetch_max(offset + bytes.len() as u64, Ordering::Relaxed);
        self.file.write_at(offset, &[IoSlice::new(bytes)])
    }
}

impl PageStore for Sparse {
    fn len(&self) -> u64 {
        self.file.len()
    }

    fn view(&self) -> View<'_> {
        self.file.view()
    }

    fn view_owned(&self) -> View<'static> {
        self.file.view_owned()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        self.file.read_at(offset, buf)
    }

    fn write_at(&self, mut offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        for buf in bufs {
            let mut rest = &buf[..];
            while !rest.is_empty() {
                let len = usize::try_from(BLOCK - offset % BLOCK).unwrap_or(usize::MAX).min(rest.len());
                let (block, left) = rest.split_at(len);
                self.write_block(offset, block)?;
                (offset, rest) = (offset + len as u64, left);
            }
        }
        Ok(())
    }

    fn grow(&self, min_len: u64) -> Result<(), StoreError> {
        self.file.grow(min_len)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.file.sync()
    }

    fn poisoned(&self) -> bool {
        self.file.poisoned()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, pairs, value] = &arguments[..] else { return Err("FILE PAIRS VALUE_BYTES".into()) };
    let (path, pairs, value) = (Path::new(path), pairs.parse::<u64>()?, vec![0; value.parse()?]);
    std::fs::File::create_new(path)?;
    let file = PageFile::open(path, &FileOptions::default())?;
    let store = Sparse { file, end: AtomicU64::new(0) };
    let db = Options::new().no_sync(true).open_store(Box::new(store))?;
    // A gigabyte of values, or a million pairs, in a transaction.
    let step = (1_000_000_000 / value.len().max(1000)).max(1);
    for first in (0..pairs).step_by(step) {
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent("b")?;
            (first..pairs.min(first + step as u64)).try_for_each(|n| bucket.put(format!("{n:012}"), &value))
        })?;
    }
    db.close()?;
    Ok(())
}
