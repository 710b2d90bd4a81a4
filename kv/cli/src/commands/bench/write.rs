//! Writing the keys.

use std::time::Instant;

use kv::{Db, WriteTx};

use super::keys::{Keys, Place};
use super::workload::{BUCKET, Measured, ReadMode, Workload, WriteMode};
use crate::failure::Result;
use crate::terminal::Progress;

/// Writes all keys; returns their places if they will be read one by one.
pub(super) fn run(workload: &Workload, db: &Db, progress: Progress) -> Result<(Measured, Vec<Place>)> {
    let bar = progress.items("writing", workload.count);
    let batch = workload.batch();
    let mut writer = Writer {
        workload,
        batch,
        keys: Keys::new(workload),
        value: vec![0; workload.value_size as usize],
        written: Vec::new(),
        places: Vec::new(),
    };
    let started = Instant::now();
    for first in (0..workload.count).step_by(usize::try_from(batch).unwrap_or(usize::MAX)) {
        db.update(|tx| writer.transaction(tx))?;
        bar.set_position(first + batch);
    }
    let measured = Measured { operations: workload.count, elapsed: started.elapsed() };
    bar.finish_and_clear();
    let Writer { written, mut places, .. } = writer;
    places.extend(written);
    Ok((measured, places))
}

struct Writer<'w> {
    workload: &'w Workload,
    batch: u64,
    keys: Keys,
    value: Vec<u8>,
    /// The keys of the previous batch, if some of them are to be deleted.
    written: Vec<Place>,
    places: Vec<Place>,
}

impl Writer<'_> {
    fn transaction(&mut self, tx: &mut WriteTx<'_>) -> kv::Result<()> {
        let name = self.workload.write_mode.nests().then(|| self.keys.next());
        let mut bucket = tx.create_bucket_if_absent(BUCKET)?;
        if let Some(name) = &name {
            bucket.create_bucket_if_absent(name)?;
            bucket = bucket.into_bucket_mut(name)?;
        }
        if let Some(fill) = self.workload.fill_percent {
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
            if self.workload.write_mode == WriteMode::SeqDel {
                self.written.push(place);
            } else if self.workload.read_mode == ReadMode::Rnd {
                self.places.push(place);
            }
        }
        Ok(())
    }
}
