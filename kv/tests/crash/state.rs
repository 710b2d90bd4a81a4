//! States that a disk may lead back to.

use std::sync::Arc;

use kv::{Bucket, Result};
use kv_testkit::model::{Entry, Model, difference};

/// What a database holds, and the same after the commit that every image has to take.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) model: Model,
    /// With [`MARK`] in it.
    pub(crate) marked: Model,
}

/// Bucket, key and value of that commit. No program uses the bucket.
pub(crate) const MARK: (&[u8], &[u8], &[u8]) = (b"mark", b"mark", b"made after the power cut");

impl State {
    pub(crate) fn of(model: Model) -> Arc<State> {
        let value = Entry::Value(MARK.2.into());
        let mark = Model { sequence: 0, entries: [(MARK.1.to_vec(), value)].into() };
        let mut marked = model.clone();
        marked.entries.insert(MARK.0.to_vec(), Entry::Bucket(mark));
        Arc::new(State { model, marked })
    }
}

/// Whether a bucket shows just this.
pub(crate) fn shows(bucket: &Bucket<'_>, model: &Model) -> Result<bool> {
    Ok(difference(bucket, model)?.is_none())
}
