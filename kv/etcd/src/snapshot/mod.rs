//! Snapshots: a copy of the file, and the SHA-256 of it behind.
//!
//! `etcdctl snapshot save` writes the same. A file without the hash is a copy of a data directory's database; what has one
//! is told by its length, because databases are whole pages long.
//!
//! ```
//! use kv_etcd::mvcc::{Options, PutRequest, RangeRequest, Store};
//! use kv_etcd::snapshot;
//!
//! # let dir = tempfile::tempdir()?;
//! let store = Store::open(dir.path().join("db"), Options::new())?;
//! store.put(PutRequest::new("color", "red"))?;
//! snapshot::save(&store.begin_read(), dir.path().join("saved"))?;
//!
//! assert!(snapshot::verify(dir.path().join("saved"))?.is_some());
//! let old = snapshot::open(dir.path().join("saved"), Options::new())?;
//! assert_eq!(&old.range(RangeRequest::key("color"))?.kvs[0].value[..], b"red");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod status;

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;

use kv::ReadTx;
use sha2::{Digest as _, Sha256};

pub use status::{Status, status};

use crate::mvcc::{Error, Options, Result, Store};

/// Length of the hash behind the database.
const HASH_LEN: usize = 32;
/// Pages, and so databases, are multiples of this.
const SECTOR: u64 = 512;

/// A hash of a snapshot.
pub type Sha256Hash = [u8; HASH_LEN];

/// Writes the database that `tx` sees, and then its hash. Returns the hash.
///
/// # Errors
/// What the page store or the target answers.
pub fn write_to(tx: &ReadTx<'_>, target: &mut impl Write) -> Result<Sha256Hash> {
    let mut hashing = Hashing { target, hash: Sha256::new() };
    tx.write_to(&mut hashing)?;
    let Hashing { target, hash } = hashing;
    let hash = Sha256Hash::from(hash.finalize());
    debug_assert!(tx.size().is_multiple_of(SECTOR), "a database is whole pages");
    target.write_all(&hash).map_err(|error| system("write the hash of a snapshot", error))?;
    Ok(hash)
}

/// The bytes that [`write_to`] writes.
#[must_use]
pub fn size(tx: &ReadTx<'_>) -> u64 {
    tx.size() + HASH_LEN as u64
}

/// Makes a snapshot at `path`: first under another name, `path` with `.part` behind it, and whole and durable under its own.
/// A file that is there is replaced. Returns the hash.
///
/// # Errors
/// What the page store or the file system answers.
pub fn save(tx: &ReadTx<'_>, path: impl AsRef<Path>) -> Result<Sha256Hash> {
    let path = path.as_ref();
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let saved = save_part(tx, part).and_then(|hash| {
        fs::rename(part, path).map_err(|error| system("give a snapshot its name", error))?;
        sync_directory(path).map_err(|error| system("sync the directory of a snapshot", error))?;
        Ok(hash)
    });
    if saved.is_err() {
        let _ = fs::remove_file(part);
    }
    saved
}

fn save_part(tx: &ReadTx<'_>, part: &Path) -> Result<Sha256Hash> {
    let mut file = File::create(part).map_err(|error| system("create a snapshot", error))?;
    let hash = write_to(tx, &mut file)?;
    file.sync_all().map_err(|error| system("sync a snapshot", error))?;
    Ok(hash)
}

/// The name lasts. Where directories cannot be opened it needs nothing.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Compares the hash behind a snapshot with its content. Returns the hash; none if the file has no hash, because it is no
/// snapshot but a copy of a database. O(size).
///
/// # Errors
/// [`Error::DamagedSnapshot`], or what the file system answers.
pub fn verify(path: impl AsRef<Path>) -> Result<Option<Sha256Hash>> {
    let read = |error| system("read a snapshot", error);
    let file = File::open(path).map_err(read)?;
    let len = file.metadata().map_err(read)?.len();
    if len.is_multiple_of(SECTOR) {
        return Ok(None);
    }
    if len % SECTOR != HASH_LEN as u64 {
        let what = format!("its {len} bytes are neither whole pages nor whole pages and a hash");
        return Err(Error::DamagedSnapshot { what });
    }
    debug_assert!(len >= HASH_LEN as u64, "the hash is there");
    let mut file = BufReader::with_capacity(1 << 20, file);
    let mut hashing = Hashing { target: &mut io::sink(), hash: Sha256::new() };
    io::copy(&mut (&mut file).take(len - HASH_LEN as u64), &mut hashing).map_err(read)?;
    debug_assert!((len - HASH_LEN as u64).is_multiple_of(SECTOR), "a database is whole pages");
    let found = Sha256Hash::from(hashing.hash.finalize());
    let mut said = Sha256Hash::default();
    file.read_exact(&mut said).map_err(read)?;
    if found == said {
        return Ok(Some(found));
    }
    let [found, said] = [found, said].map(hex::encode);
    Err(Error::DamagedSnapshot { what: format!("its SHA-256 is {found}, and it says {said}") })
}

/// Opens a snapshot, or any database of etcd's, for reading, at any revision that it has. A hash that is there must be
/// right. The hash stays in place: it lies behind the last page.
///
/// # Errors
/// Those of [`verify`] and [`Store::open`].
pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Store> {
    verify(&path)?;
    Store::open(path, options.read_only())
}

/// Passes bytes on and hashes them.
struct Hashing<'a, W> {
    target: &'a mut W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.target.write(bytes)?;
        assert!(written <= bytes.len(), "a target does not write more than it gets");
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

fn system(what: &'static str, source: io::Error) -> Error {
    if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return Error::NoSpace;
    }
    Error::System { what, source: Arc::new(source) }
}
