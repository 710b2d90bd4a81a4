//! The reads.

use std::time::{Duration, Instant};

use kv::{Bucket, Db, ReadTx};

use super::keys::{Place, Random};
use super::{BUCKET, Bench, Measured, ReadMode};
use crate::failure::{Failure, Result};

/// Reads everything again and again, for a second at least.
pub(super) fn run(bench: &Bench, db: &Db, places: &mut [Place]) -> Result<Measured> {
    Random::new().shuffle(places);
    let tx = db.begin_read();
    let started = Instant::now();
    let mut operations = 0;
    loop {
        operations += match bench.read_mode {
            ReadMode::Seq => in_order(&tx.bucket(BUCKET)?)?,
            ReadMode::Rnd => at_random(&tx, places)?,
        };
        let elapsed = started.elapsed();
        if elapsed >= Duration::from_secs(1) {
            return Ok(Measured { operations, elapsed });
        }
    }
}

/// All values of a bucket and of those inside it.
fn in_order(bucket: &Bucket<'_>) -> Result<u64> {
    let mut count = 0;
    for item in *bucket {
        match item? {
            (_, Some(_)) => count += 1,
            (name, None) => {
                for item in bucket.bucket(name)? {
                    item?;
                    count += 1;
                }
            }
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
            return Err(Failure::Problem("a key that was written is not there".into()));
        }
    }
    Ok(places.len() as u64)
}
