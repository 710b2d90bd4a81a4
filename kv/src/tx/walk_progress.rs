//! How far a walk over everything is.

use std::fmt;
use std::sync::Arc;

/// Whoever wants to know how far a walk is.
#[derive(Clone, Default)]
pub(crate) struct WalkProgress(Option<Arc<dyn Fn(u64, u64) + Send + Sync>>);

impl WalkProgress {
    pub(crate) fn to(report: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(report)))
    }

    /// The walk has visited so many of at most so many pages.
    pub(crate) fn report(&self, visited: u64, pages: u64) {
        if let Some(report) = &self.0 {
            // Of several threads, the one that reports estimates what the others have done.
            report(visited.min(pages), pages);
        }
    }
}

impl fmt::Debug for WalkProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WalkProgress").field(&self.0.is_some()).finish()
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may fail by panicking")]
mod tests {
    use std::sync::{Arc, Mutex};

    use crate::{MemStore, Options};

    #[test]
    fn every_walk_tells_how_far_it_is() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&told);
        let options = Options::new().walk_progress(move |visited, pages| to.lock().unwrap().push((visited, pages)));
        let db = options.open_store(Box::new(MemStore::new())).unwrap();
        db.update(|tx| {
            let mut bucket = tx.create_bucket("b")?;
            (0..5000u32).try_for_each(|n| bucket.put(n.to_le_bytes(), [0; 100]))
        })
        .unwrap();
        let target = Options::new().open_store(Box::new(MemStore::new())).unwrap();
        let tx = db.begin_read();
        let pages = tx.size() / u64::from(db.page_size());
        let told_by = |walk: &dyn Fn()| {
            told.lock().unwrap().clear();
            walk();
            let told = told.lock().unwrap().clone();
            assert!(told.iter().all(|(visited, of)| visited <= of && *of == pages), "{told:?} of {pages}");
            assert!(told.is_sorted(), "{told:?}");
            told
        };
        let last = |told: &[(u64, u64)]| told.last().map_or(0, |(visited, _)| *visited);
        let used = last(&told_by(&|| assert!(tx.check().unwrap().is_empty())));
        let copied = told_by(&|| _ = crate::compact(&db, &target, 10_000).unwrap());
        assert!(
            copied.len() > 10 && last(&copied) == used,
            "each visits every page that is in use: {used}, {copied:?}"
        );
        #[cfg(feature = "digest")]
        {
            let digested = told_by(&|| tx.digest(|_| Ok(())).unwrap());
            assert!(digested.len() > 4 && last(&digested) > used / 2, "{digested:?}");
        }
    }
}
