//! A walk over every bucket and item of a database in order; nested buckets come in the place of their names.

use indicatif::ProgressBar;
use kv::{Bucket, Damage};

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
    /// Something is damaged, and may be left out.
    Damage(Damage),
}

/// Where a walk is.
struct Way<'t> {
    path: Vec<&'t [u8]>,
    /// Keys and nested buckets so far of each bucket that has begun, the outermost first.
    counts: Vec<Counts>,
}

#[derive(Default)]
struct Counts {
    keys: u64,
    buckets: u64,
}

/// Walks `top`, which is at `path`, and shows on `bar` how many pages have been visited. The root bucket has an empty path
/// and is not itself visited.
pub(crate) fn walk<'t>(
    path: Vec<&'t [u8]>,
    top: Bucket<'t>,
    bar: &ProgressBar,
    mut visit: impl FnMut(Step<'_, 't>) -> Result<()>,
) -> Result<()> {
    let around: Vec<Vec<u8>> = path.iter().map(|name| name.to_vec()).collect();
    let mut way = Way { path, counts: vec![Counts::default()] };
    if !way.path.is_empty() {
        visit(Step::Enter { path: &way.path, bucket: top })?;
    }
    let mut contents = top.contents();
    while let Some(met) = contents.next() {
        bar.set_position(contents.pages_visited());
        match met {
            Ok(met) => way.step(&met, &mut visit)?,
            Err(mut damage) => {
                damage.bucket.splice(0..0, around.iter().cloned());
                visit(Step::Damage(damage))?;
            }
        }
    }
    way.leave(&mut visit)
}

impl<'t> Way<'t> {
    fn step(&mut self, met: &kv::Step<'t>, visit: &mut dyn FnMut(Step<'_, 't>) -> Result<()>) -> Result<()> {
        match (*met, self.counts.last_mut()) {
            (kv::Step::Pair { key, value }, Some(counts)) => {
                counts.keys += 1;
                visit(Step::Item { path: &self.path, key, value })
            }
            (kv::Step::Enter { name, bucket }, Some(counts)) => {
                counts.buckets += 1;
                self.counts.push(Counts::default());
                self.path.push(name);
                visit(Step::Enter { path: &self.path, bucket })
            }
            _ => self.leave(visit),
        }
    }

    /// The innermost bucket has ended.
    fn leave(&mut self, visit: &mut dyn FnMut(Step<'_, 't>) -> Result<()>) -> Result<()> {
        let Counts { keys, buckets } = self.counts.pop().unwrap_or_default();
        if !self.path.is_empty() {
            visit(Step::Leave { path: &self.path, keys, buckets })?;
            self.path.pop();
        }
        Ok(())
    }
}
