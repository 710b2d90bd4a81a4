//! Measurements over time: each sample goes into the table of samples and, in the same transaction, into summaries of its
//! minute and its hour. Samples are kept for an hour and minutes for a day; a question is answered from the finest of them
//! that reaches back far enough.
//!
//! ```sh
//! echo 'hall 1700000000 21.5' | cargo run -p kv-example-apps --bin series -- climate.db record
//! cargo run -p kv-example-apps --bin series -- climate.db show hall 1699990000 1700000060
//! cargo run -p kv-example-apps --bin series -- climate.db expire 1700003700
//! ```

use std::error::Error;
use std::io::{BufRead as _, stdin};
use std::ops::Bound::{Excluded, Unbounded};

use kv::table::{Serde, Table};
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

/// A table of one resolution: the name of a series, and the second at which a summary begins.
type Level = Table<(String, u64), Serde<Summary>>;

/// The tables, finest first: seconds that a summary covers, and seconds for which it is kept.
const LEVELS: [(Level, u64, u64); 3] =
    [(Table::new("samples"), 1, 3600), (Table::new("minutes"), 60, 86_400), (Table::new("hours"), 3600, u64::MAX)];

fn record(tx: &mut WriteTx<'_>, series: &str, second: u64, value: f64) -> Result<()> {
    for (level, width, _) in LEVELS {
        let (table, key) = (level.open(tx)?, (series, second - second % width));
        let summary = match table.get(tx, &key)? {
            Some(Summary { count, sum, min, max }) => {
                Summary { count: count + 1, sum: sum + value, min: min.min(value), max: max.max(value) }
            }
            None => Summary { count: 1, sum: value, min: value, max: value },
        };
        table.put(tx, &key, &summary)?;
    }
    Ok(())
}

/// The names of all series: each is one search away from the one before, however many rows it has.
fn names(tx: &ReadTx<'_>) -> Result<Vec<String>> {
    let hours = LEVELS[2].0.read(tx)?;
    let mut names = Vec::new();
    let mut next = hours.first()?;
    while let Some(((name, _), _)) = next {
        next = hours.range((Excluded((name.as_str(), u64::MAX)), Unbounded)).next().transpose()?;
        names.push(name);
    }
    Ok(names)
}

/// Deletes what is older than its table keeps, whole pages at a time. Returns the number of rows.
fn expire(tx: &mut WriteTx<'_>, names: &[String], now: u64) -> Result<u64> {
    let mut deleted = 0;
    for (level, width, keep) in LEVELS {
        let table = level.open(tx)?;
        for name in names {
            deleted += table.remove_range(tx, (name, 0)..(name, begin(now, keep, width)))?;
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
    let fits = |(_, width, keep): &&(Level, u64, u64)| from >= begin(until, *keep, *width);
    let (level, width, _) = LEVELS.iter().find(fits).expect("the last level is kept for ever");
    for row in level.read(tx)?.range((series, from - from % width)..(series, until)) {
        let ((_, second), Summary { count, sum, min, max }) = row?;
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
    db.update(|tx| LEVELS.iter().try_for_each(|(level, ..)| level.open(tx).map(drop)))?;

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
