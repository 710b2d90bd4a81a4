//! `series` with buckets of bytes alone: keys of two parts and the bytes of a summary, by hand.

use std::error::Error;
use std::io::{BufRead as _, stdin};

use kv::{Db, ReadTx, Result, WriteTx};
use serde::{Deserialize, Serialize};

/// The samples of a stretch of time, as far as questions need them.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Summary {
    count: u32,
    sum: f64,
    min: f64,
    max: f64,
}

impl Summary {
    fn of(bytes: &[u8]) -> Self {
        postcard::from_bytes(bytes).expect("a summary that this program has put")
    }
}

/// The buckets, finest first: seconds that a summary covers, and seconds for which it is kept.
const LEVELS: [(&str, u64, u64); 3] = [("samples", 1, 3600), ("minutes", 60, 86_400), ("hours", 3600, u64::MAX)];

/// The name of a series, which has no zero byte, and the second at which a summary begins.
fn key(series: &str, second: u64) -> Vec<u8> {
    [series.as_bytes(), &[0], &second.to_be_bytes()].concat()
}

fn parts(key: &[u8]) -> (String, u64) {
    let (name, second) = key.split_at(key.len() - 9);
    let second = u64::from_be_bytes(second[1..].try_into().expect("eight bytes"));
    (String::from_utf8(name.to_vec()).expect("a name is text"), second)
}

fn record(tx: &mut WriteTx<'_>, series: &str, second: u64, value: f64) -> Result<()> {
    for (level, width, _) in LEVELS {
        let (mut bucket, key) = (tx.bucket_mut(level)?, key(series, second - second % width));
        let summary = match bucket.get(&key)?.map(Summary::of) {
            Some(Summary { count, sum, min, max }) => {
                Summary { count: count + 1, sum: sum + value, min: min.min(value), max: max.max(value) }
            }
            None => Summary { count: 1, sum: value, min: value, max: value },
        };
        bucket.put(&key, postcard::to_stdvec(&summary).expect("a summary has bytes"))?;
    }
    Ok(())
}

/// The names of all series: each is one search away from the one before, however many rows it has.
fn names(tx: &ReadTx<'_>) -> Result<Vec<String>> {
    let hours = tx.bucket("hours")?;
    let mut names = Vec::new();
    let mut next = hours.first()?;
    while let Some((found, _)) = next {
        let (name, _) = parts(found);
        next = hours.after(key(&name, u64::MAX)).next().transpose()?;
        names.push(name);
    }
    Ok(names)
}

/// Deletes what is older than its bucket keeps, whole pages at a time. Returns the number of rows.
fn expire(tx: &mut WriteTx<'_>, names: &[String], now: u64) -> Result<u64> {
    let mut deleted = 0;
    for (level, width, keep) in LEVELS {
        let mut bucket = tx.bucket_mut(level)?;
        for name in names {
            deleted += bucket.delete_range(key(name, 0)..key(name, begin(now, keep, width)))?;
        }
    }
    Ok(deleted)
}

/// The first summary that is kept at `now`.
fn begin(now: u64, keep: u64, width: u64) -> u64 {
    let begin = now.saturating_sub(keep);
    begin - begin % width
}

/// Prints the finest summaries that reach back to `from`, as seen at `until`.
fn show(tx: &ReadTx<'_>, series: &str, from: u64, until: u64) -> Result<()> {
    let fits = |(_, width, keep): &&(&str, u64, u64)| from >= begin(until, *keep, *width);
    let (level, width, _) = LEVELS.iter().find(fits).expect("the last level is kept for ever");
    for row in tx.bucket(level)?.range(key(series, from - from % width)..key(series, until)) {
        let (key, summary) = row?;
        let ((_, second), Summary { count, sum, min, max }) = (parts(key), Summary::of(summary));
        println!("{second} +{width}: {count} of {min} to {max}, mean {:.2}", sum / f64::from(count));
    }
    Ok(())
}

/// `NAME SECOND VALUE`
fn parse(line: &str) -> Option<(&str, u64, f64)> {
    let mut words = line.split_whitespace();
    let sample = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    words.next().is_none().then_some(sample)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [path, rest @ ..] = &arguments[..] else { return Err("series FILE record|show|names|expire".into()) };
    let db = Db::open(path)?;
    db.update(|tx| LEVELS.iter().try_for_each(|(level, ..)| tx.create_bucket_if_absent(level).map(drop)))?;

    match rest {
        ["record"] => {
            let lines = stdin().lock().lines().collect::<Result<Vec<_>, _>>()?;
            // A transaction for a thousand samples: a commit costs as much for one.
            for lines in lines.chunks(1000) {
                db.try_update(|tx| {
                    lines.iter().try_for_each(|line| {
                        let (series, second, value) = parse(line).ok_or(format!("no sample: {line}"))?;
                        record(tx, series, second, value).map_err(Box::<dyn Error>::from)
                    })
                })?;
            }
        }
        ["names"] => db.view(names)?.iter().for_each(|name| println!("{name}")),
        ["show", series, from, until] => {
            let (from, until) = (from.parse()?, until.parse()?);
            db.view(|tx| show(tx, series, from, until))?;
        }
        ["expire", now] => {
            let (names, now) = (db.view(names)?, now.parse()?);
            println!("{} rows deleted", db.update(|tx| expire(tx, &names, now))?);
        }
        _ => return Err("series FILE record | show NAME FROM UNTIL | names | expire NOW".into()),
    }
    Ok(db.close()?)
}
