//! Reading the keys back.

use std::time::{Duration, Instant};

use kv::{Bucket, Db, ReadTx};

use super::keys::{Place, Random};
use super::workload::{BUCKET, Measured, ReadMode, Workload};
use crate::failure::{Failure, Result};

/// Reads everything again and again, for at least a second.
pub(super) fn run(workload: &Workload, db: &Db, places: &mut [Place]) -> Result<Measured> {
    Random::new().shuffle(places);
    let tx = db.begin_read();
    let started = Instant::now();
    let mut operations = 0;
    loop {
        operations += match workload.read_mode {
            ReadMode::Seq => in_order(&tx.bucket(BUCKET)?)?,
            ReadMode::Rnd => at_random(&tx, places)?,
        };
        let elapsed = started.elapsed();
        if elapsed >= Duration::from_secs(1) {
            return Ok(Measured { operations, elapsed });
        }
    }
}

/// Reads all values of a bucket and of the buckets inside it; returns how many.
fn in_order(bucket: &Bucket<'_>) -> Result<u64> {
    let mut count = 0;
    for pair in bucket {
        pair?;
        count += 1;
    }
    for nested in bucket.buckets() {
        for pair in nested?.1 {
            pair?;
            count += 1;
        }
    }
    Ok(count)
}

fn at_random(tx: &ReadTx<'_>, places: &[Place]) -> Result<u64> {
    let top = tx.bucket(BUCKET)?;
    for Place { bucket, key } in places {
        let value = match bucket {
            Some(name) => top.bucket(name)?.get(key)?,
            None => top.get(key)?,
        };
        if value.is_none() {
            return Err(Failure::Problem("a key that was written is missing".into()));
        }
    }
    Ok(places.len() as u64)
}
