//! Runs programs through the kv library, with outcomes in the words of the Go
//! peer.

use std::path::Path;

use kv::{Bucket, BucketMut, Db, Error, FreelistKind, FreelistSync, Options, Problem, WriteTx};

use crate::model::scan_text;
use crate::program::{Action, Command, Settings, Step, Transaction};
use crate::text::{hex_text, value_text};

/// Opens the file, runs the program, closes it; one outcome a line.
pub(crate) fn run(path: &Path, settings: Settings, program: &[Step]) -> Result<Vec<String>, String> {
    run_steps(path, settings, program).map_err(|error| format!("{error:?}: {error}"))
}

fn run_steps(path: &Path, settings: Settings, program: &[Step]) -> Result<Vec<String>, Error> {
    let mut outcomes = Vec::new();
    let mut db = options(settings).open(path)?;
    for stretch in program.split_inclusive(|step| matches!(step, Step::Reopen)) {
        outcomes.extend(run_open(&db, stretch)?);
        if let Some(Step::Reopen) = stretch.last() {
            db.close()?;
            db = options(settings).open(path)?;
            outcomes.push("ok".into());
        }
    }
    db.close()?;
    Ok(outcomes)
}

/// Runs the transactions of a program on an open database.
pub(crate) fn run_open(db: &Db, program: &[Step]) -> Result<Vec<String>, Error> {
    let mut outcomes = Vec::new();
    for step in program {
        if let Step::Transaction(transaction) = step {
            run_transaction(db, transaction, &mut outcomes)?;
        }
    }
    Ok(outcomes)
}

/// The library's options for the settings. Nothing is synced: what survives a
/// power cut is not looked at here.
pub(crate) fn options(settings: Settings) -> Options {
    let kind = if settings.span_maps { FreelistKind::SpanMaps } else { FreelistKind::SortedArray };
    let sync = if settings.freelist_each_commit { FreelistSync::Every } else { FreelistSync::OnClose };
    Db::options().page_size(settings.page_size).freelist(kind).freelist_sync(sync).no_sync(true)
}

/// Opens the file read-only; the error tells what kv's own check finds.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    let problems = list_problems(path).map_err(|error| error.to_string())?;
    if problems.is_empty() { Ok(()) } else { Err(format!("{problems:?}")) }
}

fn list_problems(path: &Path) -> Result<Vec<Problem>, Error> {
    let db = Db::options().read_only(true).preload_freelist(true).open(path)?;
    db.begin_read().check()
}

fn run_transaction(db: &Db, transaction: &Transaction, outcomes: &mut Vec<String>) -> Result<(), Error> {
    let mut tx = db.begin_write()?;
    outcomes.push("ok".into());
    for command in &transaction.commands {
        outcomes.push(match execute(&mut tx, command) {
            Ok(outcome) => outcome,
            Err(error) => class(error)?.into(),
        });
    }
    outcomes.push("ok".into());
    if transaction.commits {
        tx.commit()
    } else {
        tx.rollback();
        Ok(())
    }
}

/// The peer's word for a refusal; other errors are no outcome of a program.
fn class(error: Error) -> Result<&'static str, Error> {
    match error {
        Error::BucketNotFound { .. } => Ok("bucket-not-found"),
        Error::BucketExists { .. } => Ok("bucket-exists"),
        Error::BucketNameRequired => Ok("bucket-name-required"),
        Error::KeyRequired => Ok("key-required"),
        Error::KeyTooLarge { .. } => Ok("key-too-large"),
        Error::IncompatibleValue { .. } => Ok("incompatible-value"),
        other => Err(other),
    }
}

/// How full kv leaves the pages of a bucket. The file looks otherwise, and what is in it is the same.
const SHARES: [Option<f64>; 5] = [None, None, Some(1.0), Some(0.5), Some(0.1)];

fn execute(tx: &mut WriteTx<'_>, command: &Command) -> Result<String, Error> {
    match &command.action {
        Action::Create | Action::CreateIfAbsent | Action::DeleteBucket => {
            change_bucket(tx, command).map(|()| "ok".into())
        }
        Action::Get(_) | Action::Seek(_) | Action::Scan => read(tx, command),
        _ => {
            let (first, rest) = command.path.split_first().expect("a path has a name");
            let share = SHARES[command.path.concat().len() % SHARES.len()];
            within(tx.bucket_mut(first), rest, |bucket| {
                if let Some(share) = share {
                    bucket.set_fill_percent(share);
                }
                change(bucket, &command.action)
            })
        }
    }
}

/// Goes down a path of nested buckets and does something with the last.
fn within<T>(
    bucket: Result<BucketMut<'_>, Error>,
    path: &[Vec<u8>],
    f: impl FnOnce(&mut BucketMut<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut bucket = bucket.map_err(plain_key_is_no_bucket)?;
    match path.split_first() {
        None => f(&mut bucket),
        Some((name, rest)) => within(bucket.bucket_mut(name), rest, f),
    }
}

/// To bbolt a plain key on the way to a bucket is a bucket that is not there; kv
/// tells the two apart.
fn plain_key_is_no_bucket(error: Error) -> Error {
    match error {
        Error::IncompatibleValue { key, .. } => Error::BucketNotFound { name: key },
        other => other,
    }
}

fn change_bucket(tx: &mut WriteTx<'_>, command: &Command) -> Result<(), Error> {
    let (name, parent) = command.path.split_last().expect("a path has a name");
    let Some((first, rest)) = parent.split_first() else {
        return match command.action {
            Action::Create => tx.create_bucket(name).map(drop),
            Action::CreateIfAbsent => tx.create_bucket_if_absent(name).map(drop),
            _ => tx.delete_bucket(name),
        };
    };
    within(tx.bucket_mut(first), rest, |bucket| match command.action {
        Action::Create => bucket.create_bucket(name).map(drop),
        Action::CreateIfAbsent => bucket.create_bucket_if_absent(name).map(drop),
        _ => bucket.delete_bucket(name),
    })
}

fn change(bucket: &mut BucketMut<'_>, action: &Action) -> Result<String, Error> {
    match action {
        Action::Put(key, value) => bucket.put(key, value.bytes())?,
        Action::Delete(key) => return Ok(format!("ok {}", bucket.delete(key)?)),
        Action::Sweep(from, limit) => return Ok(format!("ok {}", sweep(bucket, from, *limit)?)),
        Action::SetSequence(n) => bucket.set_sequence(*n)?,
        Action::NextSequence => return Ok(format!("ok {}", bucket.next_sequence()?)),
        _ => unreachable!("reads and buckets are done elsewhere"),
    }
    Ok("ok".into())
}

/// Deletes with one cursor, which must not skip.
fn sweep(bucket: &mut BucketMut<'_>, from: &[u8], limit: usize) -> Result<usize, Error> {
    let mut cursor = bucket.cursor_mut();
    let mut at_key = matches!(cursor.seek(from)?, Some((_, Some(_))));
    let mut deleted = 0;
    while at_key && deleted < limit {
        cursor.delete()?;
        deleted += 1;
        at_key = matches!(cursor.next()?, Some((_, Some(_))));
    }
    Ok(deleted)
}

fn read(tx: &WriteTx<'_>, command: &Command) -> Result<String, Error> {
    let mut bucket = tx.root();
    for name in &command.path {
        bucket = bucket.bucket(name).map_err(plain_key_is_no_bucket)?;
    }
    match &command.action {
        Action::Get(key) => {
            Ok(bucket.get(key)?.map_or_else(|| "none".into(), |value| format!("ok {}", value_text(value))))
        }
        Action::Seek(key) => Ok(match bucket.cursor().seek(key)? {
            None => "none".into(),
            Some((found, None)) => format!("ok {} bucket", hex_text(found)),
            Some((found, Some(value))) => format!("ok {} {}", hex_text(found), value_text(value)),
        }),
        _ => scan(&bucket),
    }
}

/// Walks with the cursor, and back with the iterator: both must show the same.
fn scan(bucket: &Bucket<'_>) -> Result<String, Error> {
    let mut items = Vec::new();
    let mut cursor = bucket.cursor();
    let mut item = cursor.first()?;
    while let Some(found) = item {
        items.push(found);
        item = cursor.next()?;
    }
    let mut back = bucket.iter().rev().collect::<Result<Vec<_>, Error>>()?;
    back.reverse();
    if back != items {
        return Ok("the way back shows other items than the way forth".into());
    }
    Ok(scan_text(items.into_iter()))
}
