//! `series` with heed: a key of two parts has bytes of its own.
#![allow(unsafe_code, reason = "opening a file of LMDB's is unsafe")]

use std::error::Error;
use std::io::{BufRead as _, stdin};
use std::ops::Bound::{Excluded, Included, Unbounded};

use heed::types::{Bytes, SerdeBincode};
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, RoTxn, RwTxn};
use serde::{Deserialize, Serialize};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// The samples of a stretch of time, as far as questions need them.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Summary {
    count: u32,
    sum: f64,
    min: f64,
    max: f64,
}

/// A database of one resolution, the seconds that a summary covers, and those for which it is kept.
type Level = (Database<'static, Bytes, SerdeBincode<Summary>>, u64, u64);

/// The levels, finest first.
const LEVELS: [(&str, u64, u64); 3] = [("samples", 1, 3600), ("minutes", 60, 86_400), ("hours", 3600, u64::MAX)];

fn open(env: &Env) -> Result<[Level; 3]> {
    let opened = env.create_databases_and_commit(env.write_txn()?, |opener, tx| -> Result<_> {
        let [finest, middle, coarsest] = LEVELS.map(|(name, ..)| opener.create_database(tx, Some(name)));
        Ok(CommitOrAbort::<_, ()>::Commit([finest?, middle?, coarsest?]))
    })?;
    let [finest, middle, coarsest] = opened.unwrap_commit();
    let [(_, second, short), (_, minute, long), (_, hour, ever)] = LEVELS;
    Ok([(finest, second, short), (middle, minute, long), (coarsest, hour, ever)])
}

/// The name of a series, which has no zero byte, and the second at which a summary begins.
fn key(series: &str, second: u64) -> Vec<u8> {
    [series.as_bytes(), &[0], &second.to_be_bytes()].concat()
}

fn parts(key: &[u8]) -> Result<(&str, u64)> {
    let (name, second) = key.split_at(key.len() - 9);
    Ok((std::str::from_utf8(name)?, u64::from_be_bytes(second[1..].try_into()?)))
}

fn record(levels: &[Level], tx: &mut RwTxn<'_>, series: &str, second: u64, value: f64) -> Result<()> {
    for (level, width, _) in levels {
        let key = key(series, second - second % width);
        let summary = match level.get(tx, &key)? {
            Some(Summary { count, sum, min, max }) => {
                Summary { count: count + 1, sum: sum + value, min: min.min(value), max: max.max(value) }
            }
            None => Summary { count: 1, sum: value, min: value, max: value },
        };
        level.put(tx, &key, &summary)?;
    }
    Ok(())
}

/// The names of all series: each is one search away from the one before, however many rows it has.
fn names(levels: &[Level], tx: &RoTxn<'_>) -> Result<Vec<String>> {
    let (hours, ..) = levels[2];
    let mut names = Vec::new();
    let mut next = hours.first(tx)?;
    while let Some((found, _)) = next {
        let name = parts(found)?.0.to_owned();
        next = hours.range(tx, &(Excluded(&key(&name, u64::MAX)[..]), Unbounded))?.next().transpose()?;
        names.push(name);
    }
    Ok(names)
}

/// Deletes what is older than its table keeps. Returns the number of rows.
fn expire(levels: &[Level], tx: &mut RwTxn<'_>, names: &[String], now: u64) -> Result<usize> {
    let mut deleted = 0;
    for (level, width, keep) in levels {
        for name in names {
            let (from, until) = (key(name, 0), key(name, begin(now, *keep, *width)));
            deleted += level.delete_range(tx, &(Included(&from[..]), Excluded(&until[..])))?;
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
fn show(levels: &[Level], tx: &RoTxn<'_>, series: &str, from: u64, until: u64) -> Result<()> {
    let fits = |(_, width, keep): &&Level| from >= begin(until, *keep, *width);
    let (level, width, _) = levels.iter().find(fits).expect("the last level is kept for ever");
    let (from, until) = (key(series, from - from % width), key(series, until));
    for row in level.range(tx, &(Included(&from[..]), Excluded(&until[..])))? {
        let (key, Summary { count, sum, min, max }) = row?;
        let (_, second) = parts(key)?;
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

/// One transaction.
fn update<T>(env: &Env, work: impl FnOnce(&mut RwTxn<'_>) -> Result<T>) -> Result<T> {
    let mut tx = env.write_txn()?;
    let done = work(&mut tx)?;
    tx.commit()?;
    Ok(done)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [path, rest @ ..] = &arguments[..] else { return Err("series FILE record|show|names|expire".into()) };
    let mut options = EnvOpenOptions::new();
    options.map_size(1 << 30).max_dbs(3);
    // SAFETY: no other program truncates the file, and this process opens it once.
    let env = unsafe { options.flags(EnvFlags::NO_SUB_DIR).open(path)? };
    let levels = open(&env)?;

    match rest {
        ["record"] => {
            let lines = stdin().lock().lines().collect::<Result<Vec<_>, _>>()?;
            // A transaction for a thousand samples: a commit costs as much for one.
            for lines in lines.chunks(1000) {
                update(&env, |tx| {
                    lines.iter().try_for_each(|line| {
                        let (series, second, value) = parse(line).ok_or(format!("no sample: {line}"))?;
                        record(&levels, tx, series, second, value)
                    })
                })?;
            }
        }
        ["names"] => {
            let tx = env.read_txn()?;
            names(&levels, &tx)?.iter().for_each(|name| println!("{name}"));
        }
        ["show", series, from, until] => {
            let tx = env.read_txn()?;
            show(&levels, &tx, series, from.parse()?, until.parse()?)?;
        }
        ["expire", now] => {
            let now = now.parse()?;
            let deleted = update(&env, |tx| {
                let names = names(&levels, tx)?;
                expire(&levels, tx, &names, now)
            })?;
            println!("{deleted} rows deleted");
        }
        _ => return Err("series FILE record | show NAME FROM UNTIL | names | expire NOW".into()),
    }
    Ok(())
}
