//! Comparing a state with a digest of it.

use std::collections::BTreeMap;

use super::{BucketPath, Chunk, Difference, Entered, Hashing, Walk};
use crate::error::{Error, Result};
use crate::tx::{Bucket, ReadTx};

/// A bucket that was digested.
#[derive(Default)]
struct Digested<'c> {
    name: &'c [u8],
    /// The bucket around it.
    around: usize,
    chunks: Vec<&'c Chunk>,
    inside: BTreeMap<&'c [u8], usize>,
    /// The state has it, too.
    met: bool,
}

/// All buckets that were digested, the root bucket first, each after the one around it.
struct Expected<'c>(Vec<Digested<'c>>);

impl<'c> Expected<'c> {
    fn new(chunks: &'c [Chunk]) -> Self {
        let mut expected = Self(vec![Digested::default()]);
        // The buckets around the chunk, the root bucket first.
        let mut way = vec![0];
        for chunk in chunks {
            way.truncate(chunk.depth.max(1));
            let around = way.last().copied().unwrap_or_default();
            let at = if chunk.depth == 0 { 0 } else { expected.inside(around, &chunk.name) };
            if chunk.depth > 0 {
                way.push(at);
            }
            if let Some(bucket) = expected.0.get_mut(at) {
                bucket.chunks.push(chunk);
            }
        }
        expected
    }

    /// The bucket `name` inside bucket `around`.
    fn inside(&mut self, around: usize, name: &'c [u8]) -> usize {
        let new = self.0.len();
        let Some(bucket) = self.0.get_mut(around) else { unreachable!("the bucket around comes before") };
        let at = *bucket.inside.entry(name).or_insert(new);
        if at == new {
            self.0.push(Digested { name, around, ..Digested::default() });
        }
        assert!(at > around, "a bucket comes after the one around it");
        at
    }

    /// The number and the chunks of a bucket of the state that is inside bucket `around`; none if it was not digested.
    fn meet(&mut self, around: Option<usize>, entered: &Entered<'_>) -> Option<(usize, &[&'c Chunk])> {
        let at = if entered.depth == 0 { 0 } else { *self.0.get(around?)?.inside.get(entered.name)? };
        let bucket = self.0.get_mut(at)?;
        bucket.met = true;
        Some((at, &bucket.chunks[..])).filter(|(_, chunks)| !chunks.is_empty())
    }

    /// The paths of the buckets that the state does not have.
    fn missing(&self) -> impl Iterator<Item = BucketPath> {
        self.0.iter().filter(|bucket| !bucket.met && !bucket.chunks.is_empty()).map(|bucket| {
            let mut path = vec![bucket.name.to_vec()];
            let mut around = bucket.around;
            while let Some(bucket) = self.0.get(around).filter(|_| around > 0) {
                path.push(bucket.name.to_vec());
                around = bucket.around;
            }
            path.reverse();
            assert!(path.len() < self.0.len(), "every bucket but the root bucket is in one that comes before it");
            path
        })
    }
}

impl ReadTx<'_> {
    /// Compares this state with `chunks`, which [`digest`](Self::digest) returned at an earlier time or for another copy,
    /// and returns all differences. The list is empty if every bucket, counter, key and value is the same. O(bytes of keys
    /// and values), and the length of its path for each difference.
    ///
    /// # Errors
    /// [`Error::Store`] if the file cannot be read. Damage is a [`Difference`] and does not end the comparison.
    pub fn verify(&self, chunks: &[Chunk]) -> Result<Vec<Difference>> {
        let mut expected = Expected::new(chunks);
        let mut differences = Vec::new();
        let mut walk = Walk::new(self.root());
        // The buckets on the way as `expected` numbers them; none for one that was not digested.
        let mut way: Vec<Option<usize>> = Vec::new();
        while let Some(entered) = walk.next() {
            way.truncate(entered.depth);
            let mut compared = walk.enter(&entered);
            let found = expected.meet(way.last().copied().flatten(), &entered);
            assert_eq!(way.len(), entered.depth, "a walk enters a bucket after the one around it");
            way.push(found.map(|(at, _)| at));
            if let Some((_, chunks)) = found {
                compared = compared.and_then(|()| compare(&walk, &entered, chunks, &mut differences));
            } else {
                differences.push(Difference::Added { bucket: walk.path() });
            }
            match compared {
                Err(Error::Corrupt { page, what }) => {
                    let why = format!("page {page} is damaged: {what}");
                    differences.push(Difference::Unreadable { bucket: walk.path(), why });
                }
                other => other?,
            }
        }
        differences.extend(expected.missing().map(|bucket| Difference::Missing { bucket }));
        Ok(differences)
    }
}

/// Compares a bucket with its chunks; the last reaches to the bucket's end.
fn compare(walk: &Walk<'_>, entered: &Entered<'_>, chunks: &[&Chunk], differences: &mut Vec<Difference>) -> Result<()> {
    let bucket: Bucket<'_> = entered.bucket;
    let mut items = bucket.items(..).peekable();
    let mut after: Option<&Chunk> = None;
    let mut rest = chunks.iter();
    while let Some(&chunk) = rest.next() {
        let ends = rest.len() == 0;
        let mut hashing = Hashing::new(entered);
        let inside = |item: &Result<(&[u8], _)>| item.as_ref().is_ok_and(|(key, _)| ends || *key <= &chunk.last[..]);
        while let Some((key, value)) = items.next_if(inside).transpose()? {
            hashing.add(key, value);
        }
        if items.peek().is_some_and(Result::is_err) {
            return items.next().transpose().map(|_| ());
        }
        if hashing.finish() != chunk.sha256 {
            differences.push(Difference::Changed {
                bucket: walk.path(),
                after: after.map(|before| before.last.clone()),
                to: (!ends).then(|| chunk.last.clone()),
            });
        }
        after = Some(chunk);
    }
    assert!(after.is_some() && items.next().is_none(), "the last chunk reaches to the end of the bucket");
    Ok(())
}
