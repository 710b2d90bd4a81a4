//! What the library shows, beside the model.

use kv::{Bucket, Result};

use super::{Entry, Model};
use crate::text::hex_text;

impl Model {
    /// All that a bucket shows. For sound files: buckets that contain themselves have no end.
    ///
    /// # Errors
    /// What reading answers.
    pub fn read(bucket: &Bucket<'_>) -> Result<Self> {
        let mut model = Self { sequence: bucket.sequence(), ..Self::default() };
        for item in bucket.items(..) {
            let (key, value) = item?;
            let entry = match value {
                Some(value) => Entry::Value(value.into()),
                None => Entry::Bucket(Self::read(&bucket.bucket(key)?)?),
            };
            model.entries.insert(key.to_vec(), entry);
        }
        Ok(model)
    }
}

/// The first difference between what a bucket shows and what it should hold: item by item, and looked up by key, which
/// takes other ways. Reads no further, so damage of any kind costs no more than the model is large.
///
/// # Errors
/// What reading answers.
pub fn difference(bucket: &Bucket<'_>, model: &Model) -> Result<Option<String>> {
    let listed = difference_of_items(bucket, model)?;
    if listed.is_some() { Ok(listed) } else { difference_by_key(bucket, model) }
}

/// The same item by item alone, which does not go by the keys of branches.
///
/// # Errors
/// What reading answers.
pub fn difference_of_items(bucket: &Bucket<'_>, model: &Model) -> Result<Option<String>> {
    if bucket.sequence() != model.sequence {
        return Ok(Some(format!("the sequence is {}, not {}", bucket.sequence(), model.sequence)));
    }
    let mut expected = model.entries.iter();
    for item in bucket.items(..) {
        let (key, value) = item?;
        let Some((name, entry)) = expected.next().filter(|(name, _)| *name == key) else {
            return Ok(Some(format!("there is {}", hex_text(key))));
        };
        match (value, entry) {
            (Some(value), Entry::Value(expected)) if value == &expected[..] => {}
            (None, Entry::Bucket(nested)) => {
                if let Some(difference) = difference_of_items(&bucket.bucket(key)?, nested)? {
                    return Ok(Some(format!("in {}: {difference}", hex_text(name))));
                }
            }
            _ => return Ok(Some(format!("{} has another value", hex_text(key)))),
        }
    }
    Ok(expected.next().map(|(name, _)| format!("{} is missing", hex_text(name))))
}

/// The first difference in what is found by key: that of each value, and the one that would follow it.
fn difference_by_key(bucket: &Bucket<'_>, model: &Model) -> Result<Option<String>> {
    let mut entries = model.entries.iter().peekable();
    while let Some((key, entry)) = entries.next() {
        match entry {
            Entry::Value(value) if bucket.get(key)? != Some(value) => {
                return Ok(Some(format!("{} is not found", hex_text(key))));
            }
            Entry::Value(_) => {}
            Entry::Bucket(nested) => {
                if let Some(difference) = difference_by_key(&bucket.bucket(key)?, nested)? {
                    return Ok(Some(format!("in {}: {difference}", hex_text(key))));
                }
            }
        }
        let behind = [key, &[0][..]].concat();
        if entries.peek().is_none_or(|(next, _)| **next != behind) && bucket.get(&behind)?.is_some() {
            return Ok(Some(format!("{} is found", hex_text(&behind))));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use kv::{Db, WriteTx};
    use pagefile_std::MemStore;

    use super::*;

    fn zoo(tx: &mut WriteTx<'_>) -> Result<()> {
        let mut zoo = tx.create_bucket("zoo")?;
        zoo.put("cat", "meow")?;
        zoo.create_bucket("dogs")?.put("rex", "woof")
    }

    #[test]
    fn every_difference_is_found() {
        let db = kv::Options::new().open_store(Box::new(MemStore::new())).unwrap();
        db.update(zoo).unwrap();
        let model = Model::read(&db.begin_read().root()).unwrap();
        let shown = |db: &Db| difference(&db.begin_read().root(), &model).unwrap();
        assert_eq!(shown(&db), None);
        let changes: [fn(&mut WriteTx<'_>) -> Result<()>; 6] = [
            |tx| tx.bucket_mut("zoo")?.put("cat", "purr"),
            |tx| tx.bucket_mut("zoo")?.put("cow", "moo"),
            |tx| tx.bucket_mut("zoo")?.delete("cat").map(drop),
            |tx| tx.bucket_mut("zoo")?.bucket_mut("dogs")?.next_sequence().map(drop),
            |tx| tx.bucket_mut("zoo")?.bucket_mut("dogs")?.delete("rex").map(drop),
            |tx| tx.create_bucket("zoo 2").map(drop),
        ];
        for change in changes {
            db.update(change).unwrap();
            assert!(shown(&db).is_some());
            db.update(|tx| {
                let tops: Vec<Vec<u8>> = tx.buckets().map(|bucket| Ok(bucket?.0.to_vec())).collect::<Result<_>>()?;
                tops.iter().try_for_each(|name| tx.delete_bucket(name))?;
                zoo(tx)?;
                Ok(())
            })
            .unwrap();
            assert_eq!(shown(&db), None);
        }
    }
}
