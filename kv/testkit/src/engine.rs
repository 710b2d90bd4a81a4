//! The library runs programs.

use std::ops::Bound;
use std::path::Path;

use kv::{Bucket, BucketMut, Db, Error, Options, Problem, Result, WriteTx};

use crate::model::Model;
use crate::outcome::{Outcome, Refusal, Scan};
use crate::program::{Action, Command, Settings, Step, Transaction};

/// Opens the file, runs the program, closes it; one outcome a line.
///
/// # Errors
/// The library's error as text, where it is no outcome of a program.
pub fn run(path: &Path, settings: Settings, program: &[Step]) -> Result<Vec<String>, String> {
    run_steps(path, settings, program).map_err(|error| format!("{error:?}: {error}"))
}

fn run_steps(path: &Path, settings: Settings, program: &[Step]) -> Result<Vec<String>> {
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
///
/// # Errors
/// The library's error where it is no outcome of a program.
pub fn run_open(db: &Db, program: &[Step]) -> Result<Vec<String>> {
    let mut outcomes = Vec::new();
    for step in program {
        if let Step::Transaction(transaction) = step {
            run_transaction(db, transaction, &mut outcomes)?;
        }
    }
    Ok(outcomes)
}

fn run_transaction(db: &Db, transaction: &Transaction, outcomes: &mut Vec<String>) -> Result<()> {
    let mut tx = db.begin_write()?;
    outcomes.push("ok".into());
    for command in &transaction.commands {
        outcomes.push(execute(&mut tx, command)?.to_string());
    }
    outcomes.push("ok".into());
    if transaction.commits {
        tx.commit()
    } else {
        tx.rollback();
        Ok(())
    }
}

/// Executes commands here and on the model, which must answer the same.
///
/// # Errors
/// The library's error where it is no outcome of a command.
///
/// # Panics
/// If an answer is another one.
pub fn execute_beside(tx: &mut WriteTx<'_>, model: &mut Model, commands: &[Command]) -> Result<()> {
    for command in commands {
        let outcome = execute(tx, command)?;
        assert_eq!(outcome, model.execute(command), "`{command}`");
    }
    Ok(())
}

/// The library's options for the settings, without syncs.
pub fn options(settings: Settings) -> Options {
    settings.options().no_sync(true)
}

/// The logical content of a file in the text form of `kv/tests/fixtures/README.md`.
///
/// # Errors
/// What opening and reading answers.
pub fn dump_file(path: &Path) -> Result<String> {
    let db = Db::options().read_only(true).open(path)?;
    db.view(|tx| Ok(Model::read(&tx.root())?.dump()))
}

/// Opens the file read-only and checks it.
///
/// # Errors
/// What the check finds.
pub fn check(path: &Path) -> Result<(), String> {
    let problems = list_problems(path).map_err(|error| error.to_string())?;
    if problems.is_empty() { Ok(()) } else { Err(format!("{problems:?}")) }
}

fn list_problems(path: &Path) -> Result<Vec<Problem>> {
    let db = Db::options().read_only(true).preload_freelist(true).open(path)?;
    db.begin_read().check()
}

/// Executes one command.
///
/// # Errors
/// The library's error where it is no outcome of a command.
pub fn execute(tx: &mut WriteTx<'_>, command: &Command) -> Result<Outcome> {
    let executed = match &command.action {
        Action::Create | Action::CreateIfAbsent | Action::DeleteBucket => change_buckets(tx, command),
        Action::Move(to) => relocate(tx, &command.path, to),
        Action::Get(_) | Action::Seek(_) | Action::Scan => read(tx, command),
        _ => within(tx, &command.path, |bucket| {
            if let Some(share) = fill_percent(command) {
                bucket.set_fill_percent(share);
            }
            change(bucket, &command.action)
        }),
    };
    executed.or_else(|error| refusal(error).map(Outcome::Refused))
}

/// A refusal; other errors are no outcome of a program.
fn refusal(error: Error) -> Result<Refusal> {
    match error {
        Error::BucketNotFound { .. } => Ok(Refusal::BucketNotFound),
        Error::BucketExists { .. } => Ok(Refusal::BucketExists),
        Error::BucketNameRequired => Ok(Refusal::BucketNameRequired),
        Error::KeyRequired => Ok(Refusal::KeyRequired),
        Error::KeyTooLarge { .. } => Ok(Refusal::KeyTooLarge),
        Error::IncompatibleValue { is_bucket, .. } => Ok(Refusal::IncompatibleValue { is_bucket }),
        Error::SameBuckets => Ok(Refusal::SameBuckets),
        other => Err(other),
    }
}

/// How full the library leaves the pages of a bucket. The file looks otherwise, and what is in it is the same.
fn fill_percent(command: &Command) -> Option<f64> {
    const SHARES: [Option<f64>; 8] = [None, None, None, None, Some(1.0), Some(0.9), Some(0.4), Some(0.1)];
    let Action::Put(key, value) = &command.action else { return None };
    SHARES[(key.len() + value.len()) % SHARES.len()]
}

/// Goes down a path of nested buckets and does something with the last.
fn within<T>(tx: &mut WriteTx<'_>, path: &[Vec<u8>], f: impl FnOnce(&mut BucketMut<'_>) -> Result<T>) -> Result<T> {
    let (first, rest) = path.split_first().expect("the root bucket holds only buckets");
    let bucket = rest.iter().try_fold(tx.bucket_mut(first).map_err(plain_key_is_no_bucket)?, |bucket, name| {
        bucket.into_bucket_mut(name).map_err(plain_key_is_no_bucket)
    });
    f(&mut bucket?)
}

/// To bbolt a plain key on the way to a bucket is a bucket that is not there; the library tells the two apart.
fn plain_key_is_no_bucket(error: Error) -> Error {
    match error {
        Error::IncompatibleValue { key, .. } => Error::BucketNotFound { name: key },
        other => other,
    }
}

fn change_buckets(tx: &mut WriteTx<'_>, command: &Command) -> Result<Outcome> {
    let (name, parent) = command.path.split_last().expect("a path has a name");
    let changed = if parent.is_empty() {
        match command.action {
            Action::Create => tx.create_bucket(name).map(drop),
            Action::CreateIfAbsent => tx.create_bucket_if_absent(name).map(drop),
            _ => tx.delete_bucket(name),
        }
    } else {
        within(tx, parent, |bucket| match command.action {
            Action::Create => bucket.create_bucket(name).map(drop),
            Action::CreateIfAbsent => bucket.create_bucket_if_absent(name).map(drop),
            _ => bucket.delete_bucket(name),
        })
    };
    changed.map(|()| Outcome::Done)
}

fn relocate(tx: &mut WriteTx<'_>, moved: &[Vec<u8>], to: &[Vec<u8>]) -> Result<Outcome> {
    let (name, from) = moved.split_last().expect("a path has a name");
    bucket_at(tx, from)?;
    bucket_at(tx, to)?;
    let [from, to] = [from, to].map(|path| path.iter().map(Vec::as_slice).collect::<Vec<_>>());
    tx.move_bucket(name, &from, &to).map(|()| Outcome::Done)
}

fn change(bucket: &mut BucketMut<'_>, action: &Action) -> Result<Outcome> {
    Ok(match action {
        Action::Put(key, value) => {
            bucket.put(key, value.bytes())?;
            Outcome::Done
        }
        Action::Delete(key) => Outcome::Deleted(bucket.delete(key)?),
        Action::Sweep(from, limit) => Outcome::Swept(sweep(bucket, from, *limit)?),
        Action::Thin(share) => thin(bucket, *share)?,
        Action::DeleteRange(from, below) => {
            let below = if below.is_empty() { Bound::Unbounded } else { Bound::Excluded(&below[..]) };
            Outcome::Swept(count(bucket.delete_range((Bound::Included(&from[..]), below))?))
        }
        Action::Clear => {
            bucket.clear()?;
            Outcome::Done
        }
        Action::Retain(share) => {
            let mut number = 0;
            let refused = bucket.retain(|_, _| {
                number += 1;
                number % share != 0
            });
            Outcome::Swept(count(refused?))
        }
        Action::SetSequence(number) => {
            bucket.set_sequence(*number)?;
            Outcome::Done
        }
        Action::NextSequence => Outcome::Sequence(bucket.next_sequence()?),
        _ => unreachable!("reads and buckets are done elsewhere"),
    })
}

#[allow(clippy::cast_possible_truncation, reason = "items of a test")]
const fn count(items: u64) -> usize {
    items as usize
}

/// Deletes with one cursor, which must not skip.
fn sweep(bucket: &mut BucketMut<'_>, from: &[u8], limit: usize) -> Result<usize> {
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

/// Deletes with a cursor that meets every item once.
fn thin(bucket: &mut BucketMut<'_>, share: usize) -> Result<Outcome> {
    let (mut met, mut deleted) = (Vec::new(), 0);
    let mut cursor = bucket.cursor_mut();
    while let Some((key, value)) = cursor.next()? {
        met.push((key.to_vec(), value.map(<[u8]>::to_vec)));
        if value.is_some() && met.len().is_multiple_of(share) {
            assert!(cursor.delete()?, "the cursor is at an item");
            deleted += 1;
        }
    }
    Ok(Outcome::Thinned(Scan::of(met.iter().map(|(key, value)| (&key[..], value.as_deref()))), deleted))
}

/// The bucket at a path.
fn bucket_at<'t>(tx: &'t WriteTx<'_>, path: &[Vec<u8>]) -> Result<Bucket<'t>> {
    path.iter().try_fold(tx.root(), |bucket, name| bucket.bucket(name).map_err(plain_key_is_no_bucket))
}

fn read(tx: &WriteTx<'_>, command: &Command) -> Result<Outcome> {
    let bucket = bucket_at(tx, &command.path)?;
    Ok(match &command.action {
        Action::Get(key) => Outcome::Value(bucket.get(key)?.map(<[u8]>::to_vec)),
        Action::Seek(key) => {
            let found = bucket.cursor().seek(key)?;
            Outcome::Item(found.map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))))
        }
        _ => Outcome::Items(scan(&bucket)?),
    })
}

/// Walks with the cursor, and back with the iterator: both must show the same.
fn scan(bucket: &Bucket<'_>) -> Result<Scan> {
    let mut items = Vec::new();
    let mut cursor = bucket.cursor();
    let mut item = cursor.first()?;
    while let Some(found) = item {
        items.push(found);
        item = cursor.next()?;
    }
    let mut back = bucket.items(..).rev().collect::<Result<Vec<_>>>()?;
    back.reverse();
    assert!(back == items, "the way back shows other items than the way forth");
    Ok(Scan::of(items.into_iter()))
}
