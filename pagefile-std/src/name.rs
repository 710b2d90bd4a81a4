//! Whether a path still names the file that is open.
//!
//! A file that loses its name stays as long as somebody has it open: writes to it succeed, and are gone with it. A
//! store that looks now and then can say so.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::sys;

/// The shortest time between two looks at a name that was right.
const INTERVAL: Duration = Duration::from_secs(1);

/// The name of an open file.
#[derive(Debug)]
pub(crate) struct Name {
    /// Absolute, since the process may change its directory.
    path: PathBuf,
    /// When it was right, at the last look.
    seen: Mutex<Option<Instant>>,
}

impl Name {
    /// Never looked at yet.
    pub(crate) fn new(path: &Path) -> io::Result<Name> {
        Ok(Name { path: std::path::absolute(path)?, seen: Mutex::new(None) })
    }

    /// Looks whether the name still leads to `file`, unless it was right less than a second before `now`. A name that
    /// was wrong is looked at each time, so that putting the file back is noticed at once.
    pub(crate) fn check(&self, file: &File, now: Instant) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.is_some_and(|seen| now.saturating_duration_since(seen) < INTERVAL) {
            return Ok(());
        }
        assert!(self.path.is_absolute(), "a name leads to the same place for as long as the file is open");
        let moved = match sys::names(&self.path, file) {
            Ok(false) => Some(true),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Some(false),
            // What keeps this process from looking says nothing about the file.
            Ok(true) | Err(_) => None,
        };
        *seen = if moved.is_none() { Some(now) } else { None };
        moved.map_or(Ok(()), |replaced| Err(StoreError::FileMoved { path: self.path.clone(), replaced }))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    fn moved(result: Result<(), StoreError>) -> Option<bool> {
        match result {
            Ok(()) => None,
            Err(StoreError::FileMoved { replaced, .. }) => Some(replaced),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_right_name_is_looked_at_once_a_second_and_a_wrong_one_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let (path, away) = (dir.path().join("file"), dir.path().join("away"));
        fs::write(&path, b"bytes").unwrap();
        let (file, name, now) = (File::open(&path).unwrap(), Name::new(&path).unwrap(), Instant::now());
        assert_eq!(moved(name.check(&file, now)), None);
        fs::rename(&path, &away).unwrap();
        assert_eq!(moved(name.check(&file, now + INTERVAL / 2)), None, "not looked at again so soon");
        let later = now + INTERVAL;
        assert_eq!(moved(name.check(&file, later)), Some(false));
        fs::write(&path, b"another").unwrap();
        assert_eq!(moved(name.check(&file, later)), Some(true), "a wrong name is looked at each time");
        fs::rename(&away, &path).unwrap();
        assert_eq!(moved(name.check(&file, later)), None, "back in its place");
        assert_eq!(moved(Name::new(&path).unwrap().check(&File::open(&path).unwrap(), now)), None);
    }
}
