//! `jobs` with redb: the order of jobs by when they are due, and the numbers of jobs, are tables of their own. Each worker
//! commits by itself.

use std::error::Error;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redb::{Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _};
use redb::{TableDefinition, WriteTransaction};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// The task, when a worker may take it or take it again, and how often it was taken.
type Row<'a> = (&'a str, u64, u32);

#[derive(Clone)]
struct Job {
    task: String,
    due: u64,
    attempts: u32,
}

impl Job {
    fn of(row: Row<'_>) -> Self {
        Self { task: row.0.to_owned(), due: row.1, attempts: row.2 }
    }

    fn row(&self) -> Row<'_> {
        (&self.task, self.due, self.attempts)
    }
}

const JOBS: TableDefinition<u64, Row<'static>> = TableDefinition::new("jobs");
const BY_DUE: TableDefinition<(u64, u64), ()> = TableDefinition::new("jobs by due");
/// The last number that was given.
const NUMBERS: TableDefinition<(), u64> = TableDefinition::new("numbers");
/// Of each finished job, what came of it.
const RESULTS: TableDefinition<u64, &str> = TableDefinition::new("results");
/// Jobs that failed too often.
const GIVEN_UP: TableDefinition<u64, Row<'static>> = TableDefinition::new("given up");

const ATTEMPTS_MAX: u32 = 3;
/// A job that takes longer than this is taken for lost.
const LEASE: Duration = Duration::from_millis(500);
const BACKOFF: Duration = Duration::from_millis(20);

/// What a worker is told.
enum Taken {
    Job(u64, Job),
    /// The next job is due then.
    Wait(u64),
    Empty,
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("some centuries")
}

fn now() -> u64 {
    nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn put(tx: &WriteTransaction, id: u64, job: &Job) -> Result<()> {
    remove(tx, id)?;
    tx.open_table(JOBS)?.insert(id, job.row())?;
    tx.open_table(BY_DUE)?.insert((job.due, id), ())?;
    Ok(())
}

fn remove(tx: &WriteTransaction, id: u64) -> Result<()> {
    if let Some(before) = tx.open_table(JOBS)?.remove(id)? {
        tx.open_table(BY_DUE)?.remove((before.value().1, id))?;
    }
    Ok(())
}

fn get(tx: &WriteTransaction, id: u64) -> Result<Option<Job>> {
    Ok(tx.open_table(JOBS)?.get(id)?.map(|row| Job::of(row.value())))
}

fn add(tx: &WriteTransaction, task: String) -> Result<()> {
    let mut numbers = tx.open_table(NUMBERS)?;
    let id = numbers.get(())?.map_or(1, |last| last.value() + 1);
    numbers.insert((), id)?;
    put(tx, id, &Job { task, due: now(), attempts: 0 })
}

fn take(tx: &WriteTransaction) -> Result<Taken> {
    let first = tx.open_table(BY_DUE)?.first()?.map(|(key, _)| key.value());
    let Some((due, id)) = first else { return Ok(Taken::Empty) };
    if due > now() {
        return Ok(Taken::Wait(due));
    }
    let mut job = get(tx, id)?.ok_or("the index has a job that is not there")?;
    job.attempts += 1;
    if job.attempts > ATTEMPTS_MAX {
        give_up(tx, id, &job)?;
        return take(tx);
    }
    job.due = now() + nanoseconds(LEASE);
    put(tx, id, &job)?;
    Ok(Taken::Job(id, job))
}

/// Puts the result in place of the job. A worker that came too late finds that the job is no longer its own, and its result
/// is dropped.
fn finish(tx: &WriteTransaction, id: u64, taken: &Job, result: Result<&str, &str>) -> Result<bool> {
    let Some(mut job) = get(tx, id)?.filter(|job| job.attempts == taken.attempts) else { return Ok(false) };
    match result {
        Ok(result) => {
            remove(tx, id)?;
            tx.open_table(RESULTS)?.insert(id, result)?;
        }
        Err(_) if job.attempts == ATTEMPTS_MAX => give_up(tx, id, &job)?,
        Err(_) => {
            job.due = now() + nanoseconds(BACKOFF * job.attempts);
            put(tx, id, &job)?;
        }
    }
    Ok(result.is_ok())
}

fn give_up(tx: &WriteTransaction, id: u64, job: &Job) -> Result<()> {
    remove(tx, id)?;
    tx.open_table(GIVEN_UP)?.insert(id, job.row())?;
    Ok(())
}

/// The work itself: here, the number of letters.
fn work_on(task: &str) -> Result<String, String> {
    thread::sleep(Duration::from_millis(2));
    if task.is_empty() { Err("nothing to count".into()) } else { Ok(task.len().to_string()) }
}

/// One transaction.
fn update<T>(db: &Database, work: impl FnOnce(&WriteTransaction) -> Result<T>) -> Result<T> {
    let tx = db.begin_write()?;
    let done = work(&tx)?;
    tx.commit()?;
    Ok(done)
}

/// Works until the queue is empty. Says of each job when its result is durable.
fn worker(db: &Database) -> Result<()> {
    loop {
        match update(db, take)? {
            Taken::Empty => return Ok(()),
            Taken::Wait(due) => thread::sleep(Duration::from_nanos(due.saturating_sub(now())).min(LEASE)),
            Taken::Job(id, job) => {
                let result = work_on(&job.task);
                if update(db, |tx| finish(tx, id, &job, result.as_deref().map_err(String::as_str)))? {
                    println!("done {id}");
                }
            }
        }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [path, command, rest @ ..] = &arguments[..] else { return Err("jobs FILE add|fail|work|status [N]".into()) };
    let number: u32 = rest.first().unwrap_or(&"1").parse()?;
    let db = Database::create(path)?;
    // So that there is something to read in a new file.
    update(&db, |tx| {
        tx.open_table(JOBS)?;
        tx.open_table(RESULTS)?;
        tx.open_table(GIVEN_UP)?;
        Ok(())
    })?;

    match *command {
        "add" => update(&db, |tx| (0..number).try_for_each(|n| add(tx, "x".repeat(1 + n as usize % 50))))?,
        // Jobs that cannot be done.
        "fail" => update(&db, |tx| (0..number).try_for_each(|_| add(tx, String::new())))?,
        "work" => thread::scope(|scope| {
            let workers: Vec<_> = (0..number).map(|_| scope.spawn(|| worker(&db))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
        })?,
        "results" => {
            for row in db.begin_read()?.open_table(RESULTS)?.iter()? {
                let (id, result) = row?;
                println!("{} {}", id.value(), result.value());
            }
        }
        "status" => {
            let tx = db.begin_read()?;
            let (waiting, done) = (tx.open_table(JOBS)?.len()?, tx.open_table(RESULTS)?.len()?);
            println!("{waiting} waiting, {done} done, {} given up", tx.open_table(GIVEN_UP)?.len()?);
        }
        other => return Err(format!("no command {other}: add, fail, work, results, status").into()),
    }
    Ok(())
}
