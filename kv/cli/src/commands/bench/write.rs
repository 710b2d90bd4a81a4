//! The writes.

use std::time::Instant;

use kv::{Db, WriteTx};

use super::keys::{Keys, Place};
use super::{BUCKET, Bench, Measured, ReadMode, WriteMode};
use crate::failure::Result;
use crate::terminal::progress;

/// Writes all keys; returns where they are if they will be read one by one.
pub(super) fn run(bench: &Bench, db: &Db, batch: u64) -> Result<(Measured, Vec<Place>)> {
    let bar = progress::items("writing", bench.count);
    let mut writer = Writer {
        bench,
        batch,
        keys: Keys::new(bench),
        value: vec![0; bench.value_size as usize],
        written: Vec::new(),
        places: Vec::new(),
    };
    let started = Instant::now();
    for first in (0..bench.count).step_by(usize::try_from(batch).unwrap_or(usize::MAX)) {
        db.update(|tx| writer.transaction(tx))?;
        bar.set_position(first + batch);
    }
    let measured = Measured { operations: bench.count, elapsed: started.elapsed() };
    bar.finish_and_clear();
    let Writer { written, mut places, .. } = writer;
    places.extend(written);
    Ok((measured, places))
}

struct Writer<'b> {
    bench: &'b Bench,
    batch: u64,
    keys: Keys,
    value: Vec<u8>,
    /// Where the batch before went, if some of it is to be deleted.
    written: Vec<Place>,
    places: Vec<Place>,
}

impl Writer<'_> {
    fn transaction(&mut self, tx: &mut WriteTx<'_>) -> kv::Result<()> {
        let name = self.bench.write_mode.nests().then(|| self.keys.next());
        let mut bucket = tx.create_bucket_if_absent(BUCKET)?;
        if let Some(name) = &name {
            bucket.create_bucket_if_absent(name)?;
            bucket = bucket.into_bucket_mut(name)?;
        }
        if let Some(fill) = self.bench.fill_percent {
            bucket.set_fill_percent(fill);
        }
        let deleted = usize::try_from(self.batch.div_ceil(10)).unwrap_or(usize::MAX);
        for (index, place) in self.written.drain(..).enumerate() {
            if index < deleted {
                bucket.delete(&place.key)?;
            } else {
                self.places.push(place);
            }
        }
        for _ in 0..self.batch {
            let key = self.keys.next();
            bucket.put(&key, &self.value)?;
            let place = Place { bucket: name.clone(), key };
            if self.bench.write_mode == WriteMode::SeqDel {
                self.written.push(place);
            } else if self.bench.read_mode == ReadMode::Rnd {
                self.places.push(place);
            }
        }
        Ok(())
    }
}
