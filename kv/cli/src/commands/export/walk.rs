//! A walk over every bucket and item of a database in order; nested buckets come in the place of their names.

use std::collections::HashSet;

use kv::{Bucket, Error, Iter};

use crate::failure::Result;

/// What a walk meets.
#[derive(Debug)]
pub(crate) enum Step<'a, 't> {
    /// A bucket begins.
    Enter { path: &'a [&'t [u8]], bucket: Bucket<'t> },
    /// A key of the bucket at `path`.
    Item { path: &'a [&'t [u8]], key: &'t [u8], value: &'t [u8] },
    /// A bucket has ended.
    Leave { path: &'a [&'t [u8]], keys: u64, buckets: u64 },
}

struct Level<'t> {
    bucket: Bucket<'t>,
    items: Iter<'t>,
    keys: u64,
    buckets: u64,
}

impl<'t> Level<'t> {
    fn new(bucket: Bucket<'t>) -> Self {
        Self { bucket, items: bucket.iter(), keys: 0, buckets: 0 }
    }
}

/// Walks `top`, which is at `path`. The root bucket has an empty path and is not itself visited.
///
/// In a damaged file, buckets may share pages or contain themselves: a second bucket at the same page is an error.
pub(crate) fn walk<'t>(
    mut path: Vec<&'t [u8]>,
    top: Bucket<'t>,
    mut visit: impl FnMut(Step<'_, 't>) -> Result<()>,
) -> Result<()> {
    let mut roots = HashSet::from([top.root_page()]);
    if !path.is_empty() {
        visit(Step::Enter { path: &path, bucket: top })?;
    }
    let mut levels = vec![Level::new(top)];
    while let Some(level) = levels.last_mut() {
        match level.items.next().transpose()? {
            Some((key, Some(value))) => {
                level.keys += 1;
                visit(Step::Item { path: &path, key, value })?;
            }
            Some((name, None)) => {
                level.buckets += 1;
                let bucket = level.bucket.bucket(name)?;
                let page = bucket.root_page();
                if page.get() != 0 && !roots.insert(page) {
                    return Err(Error::Corrupt { page, what: "page is used in two places" }.into());
                }
                path.push(name);
                visit(Step::Enter { path: &path, bucket })?;
                levels.push(Level::new(bucket));
            }
            None => {
                let (keys, buckets) = (level.keys, level.buckets);
                levels.pop();
                if !path.is_empty() {
                    visit(Step::Leave { path: &path, keys, buckets })?;
                    path.pop();
                }
            }
        }
    }
    Ok(())
}
