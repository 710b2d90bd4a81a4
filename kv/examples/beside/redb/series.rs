//! `series` with redb.

use std::error::Error;
use std::io::{BufRead as _, stdin};
use std::ops::Bound::{Excluded, Unbounded};

use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition, WriteTransaction};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// The samples of a stretch of time, as far as questions need them: their count, sum, smallest and largest.
type Summary = (u32, f64, f64, f64);

/// A table of one resolution: the name of a series, and the second at which a summary begins.
type Level = TableDefinition<'static, (&'static str, u64), Summary>;

/// The tables, finest first: seconds that a summary covers, and seconds for which it is kept.
const LEVELS: [(Level, u64, u64); 3] = [
    (TableDefinition::new("samples"), 1, 3600),
    (TableDefinition::new("minutes"), 60, 86_400),
    (TableDefinition::new("hours"), 3600, u64::MAX),
];

fn record(tx: &WriteTransaction, series: &str, second: u64, value: f64) -> Result<()> {
    for (level, width, _) in LEVELS {
        let (mut table, key) = (tx.open_table(level)?, (series, second - second % width));
        let before = table.get(key)?.map(|summary| summary.value());
        let summary = match before {
            Some((count, sum, min, max)) => (count + 1, sum + value, min.min(value), max.max(value)),
            None => (1, value, value, value),
        };
        table.insert(key, summary)?;
    }
    Ok(())
}

/// The names of all series: each is one search away from the one before, however many rows it has.
fn names(tx: &ReadTransaction) -> Result<Vec<String>> {
    let hours = tx.open_table(LEVELS[2].0)?;
    let mut names = Vec::new();
    let mut next = hours.first()?;
    while let Some((key, _)) = next {
        let name = key.value().0.to_owned();
        let after: (_, std::ops::Bound<(&str, u64)>) = (Excluded((name.as_str(), u64::MAX)), Unbounded);
        next = hours.range(after)?.next().transpose()?;
        names.push(name);
    }
    Ok(names)
}

/// Deletes what is older than its table keeps. Returns the number of rows.
fn expire(tx: &WriteTransaction, names: &[String], now: u64) -> Result<u64> {
    let mut deleted = 0;
    for (level, width, keep) in LEVELS {
        let mut table = tx.open_table(level)?;
        for name in names {
            table.retain_in((name.as_str(), 0)..(name.as_str(), begin(now, keep, width)), |_, _| {
                deleted += 1;
                false
            })?;
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
fn show(tx: &ReadTransaction, series: &str, from: u64, until: u64) -> Result<()> {
    let fits = |(_, width, keep): &&(Level, u64, u64)| from >= begin(until, *keep, *width);
    let (level, width, _) = LEVELS.iter().find(fits).expect("the last level is kept for ever");
    for row in tx.open_table(*level)?.range((series, from - from % width)..(series, until))? {
        let (key, summary) = row?;
        let ((_, second), (count, sum, min, max)) = (key.value(), summary.value());
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
fn update<T>(db: &Database, work: impl FnOnce(&WriteTransaction) -> Result<T>) -> Result<T> {
    let tx = db.begin_write()?;
    let done = work(&tx)?;
    tx.commit()?;
    Ok(done)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [path, rest @ ..] = &arguments[..] else { return Err("series FILE record|show|names|expire".into()) };
    let db = Database::create(path)?;
    update(&db, |tx| LEVELS.iter().try_for_each(|(level, ..)| Ok(tx.open_table(*level).map(drop)?)))?;

    match rest {
        ["record"] => {
            let lines = stdin().lock().lines().collect::<Result<Vec<_>, _>>()?;
            // A transaction for a thousand samples: a commit costs as much for one.
            for lines in lines.chunks(1000) {
                update(&db, |tx| {
                    lines.iter().try_for_each(|line| {
                        let (series, second, value) = parse(line).ok_or(format!("no sample: {line}"))?;
                        record(tx, series, second, value)
                    })
                })?;
            }
        }
        ["names"] => names(&db.begin_read()?)?.iter().for_each(|name| println!("{name}")),
        ["show", series, from, until] => show(&db.begin_read()?, series, from.parse()?, until.parse()?)?,
        ["expire", now] => {
            let (names, now) = (names(&db.begin_read()?)?, now.parse()?);
            println!("{} rows deleted", update(&db, |tx| expire(tx, &names, now))?);
        }
        _ => return Err("series FILE record | show NAME FROM UNTIL | names | expire NOW".into()),
    }
    Ok(())
}
