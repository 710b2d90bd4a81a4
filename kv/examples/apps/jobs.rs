//! A queue of jobs for many workers, in this process or after it.
//!
//! A worker takes a job by putting off when it is due: for as long as the work may take. If the worker dies, the job is due
//! again, and another takes it. The result of a job is put in the transaction that removes the job, so that there is
//! exactly one, however often the job was begun. Workers share commits through `Db::batch`.
//!
//! ```sh
//! cargo run -p kv-example-apps --bin jobs -- jobs.db add 1000
//! cargo run -p kv-example-apps --bin jobs -- jobs.db work 4      # stop it at any time, and begin again
//! cargo run -p kv-example-apps --bin jobs -- jobs.db status
//! ```

use std::error::Error;
use std::thread;
use std::time::{Duration, SystemTime};

use kv::table::{Index, Serde, Table};
use kv::{Db, Result, WriteTx};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Job {
    task: String,
    /// When a worker may take it, or take it again.
    due: SystemTime,
    /// How often it was taken.
    attempts: u32,
}

const JOBS: Table<u64, Serde<Job>> = Table::new("jobs").indexed(&[&BY_DUE]);
const BY_DUE: Index<u64, Serde<Job>, SystemTime> = Index::new("jobs by due", |job| vec![job.due]);
/// Of each finished job, what came of it.
const RESULTS: Table<u64, String> = Table::new("results");
/// Jobs that failed too often.
const GIVEN_UP: Table<u64, Serde<Job>> = Table::new("given up");

const ATTEMPTS_MAX: u32 = 3;
/// A job that takes longer than this is taken for lost.
const LEASE: Duration = Duration::from_millis(500);
const BACKOFF: Duration = Duration::from_millis(20);

/// What a worker is told.
enum Taken {
    Job(u64, Job),
    /// The next job is due then.
    Wait(SystemTime),
    Empty,
}

fn add(tx: &mut WriteTx<'_>, task: String) -> Result<()> {
    let jobs = JOBS.open(tx)?;
    // The counter of the bucket never gives a number twice, also when the queue was empty in between.
    let id = tx.bucket_mut(JOBS.name())?.next_sequence()?;
    jobs.put(tx, &id, &Job { task, due: SystemTime::now(), attempts: 0 })
}

fn take(tx: &mut WriteTx<'_>) -> Result<Taken> {
    let (jobs, now) = (JOBS.open(tx)?, SystemTime::now());
    let Some((due, id)) = BY_DUE.read(tx)?.range(..).next().transpose()? else { return Ok(Taken::Empty) };
    if due > now {
        return Ok(Taken::Wait(due));
    }
    let mut job = jobs.get(tx, &id)?.expect("the index has only jobs that are there");
    job.attempts += 1;
    if job.attempts > ATTEMPTS_MAX {
        give_up(tx, id, &job)?;
        return take(tx);
    }
    job.due = now + LEASE;
    jobs.put(tx, &id, &job)?;
    Ok(Taken::Job(id, job))
}

/// Puts the result in place of the job. A worker that came too late finds that the job is no longer its own, and its result
/// is dropped.
fn finish(tx: &mut WriteTx<'_>, id: u64, taken: &Job, result: Result<&str, &str>) -> Result<bool> {
    let (jobs, results) = (JOBS.open(tx)?, RESULTS.open(tx)?);
    let Some(mut job) = jobs.get(tx, &id)?.filter(|job| job.attempts == taken.attempts) else { return Ok(false) };
    match result {
        Ok(result) => {
            jobs.remove(tx, &id)?;
            results.put(tx, &id, result)?;
        }
        Err(_) if job.attempts == ATTEMPTS_MAX => give_up(tx, id, &job)?,
        Err(_) => {
            job.due = SystemTime::now() + BACKOFF * job.attempts;
            jobs.put(tx, &id, &job)?;
        }
    }
    Ok(result.is_ok())
}

fn give_up(tx: &mut WriteTx<'_>, id: u64, job: &Job) -> Result<()> {
    let (jobs, given_up) = (JOBS.open(tx)?, GIVEN_UP.open(tx)?);
    jobs.remove(tx, &id)?;
    given_up.put(tx, &id, job)
}

/// The work itself: here, the number of letters.
fn work_on(task: &str) -> Result<String, String> {
    thread::sleep(Duration::from_millis(2));
    if task.is_empty() { Err("nothing to count".into()) } else { Ok(task.len().to_string()) }
}

/// Works until the queue is empty. Says of each job when its result is durable.
fn worker(db: &Db) -> Result<()> {
    loop {
        match db.batch(take)? {
            Taken::Empty => return Ok(()),
            Taken::Wait(due) => thread::sleep(due.duration_since(SystemTime::now()).unwrap_or_default().min(LEASE)),
            Taken::Job(id, job) => {
                let result = work_on(&job.task);
                let finished = db.batch(move |tx| finish(tx, id, &job, result.as_deref().map_err(String::as_str)))?;
                if finished {
                    println!("done {id}");
                }
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [path, command, rest @ ..] = &arguments[..] else { return Err("jobs FILE add|fail|work|status [N]".into()) };
    let number: u32 = rest.first().unwrap_or(&"1").parse()?;
    let db = Db::open(path)?;
    db.update(|tx| JOBS.open(tx).and(RESULTS.open(tx)).and(GIVEN_UP.open(tx)).map(drop))?;

    match *command {
        "add" => db.update(|tx| (0..number).try_for_each(|n| add(tx, "x".repeat(1 + n as usize % 50))))?,
        // Jobs that cannot be done.
        "fail" => db.update(|tx| (0..number).try_for_each(|_| add(tx, String::new())))?,
        "work" => thread::scope(|scope| {
            let workers: Vec<_> = (0..number).map(|_| scope.spawn(|| worker(&db))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
        })?,
        "results" => db.view(|tx| {
            RESULTS.read(tx)?.iter().try_for_each(|row| row.map(|(id, result)| println!("{id} {result}")))
        })?,
        "status" => db.view(|tx| {
            let (waiting, done) = (JOBS.read(tx)?.len()?, RESULTS.read(tx)?.len()?);
            println!("{waiting} waiting, {done} done, {} given up", GIVEN_UP.read(tx)?.len()?);
            Ok(())
        })?,
        other => return Err(format!("no command {other}: add, fail, work, results, status").into()),
    }
    Ok(db.close()?)
}
