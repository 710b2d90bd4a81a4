//! `jobs` with buckets of bytes alone: the bytes of a job and the order of jobs by when they are due, by hand.

use std::error::Error;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kv::{Db, Result, WriteTx};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Job {
    task: String,
    /// When a worker may take it, or take it again.
    due: u64,
    /// How often it was taken.
    attempts: u32,
}

impl Job {
    fn of(bytes: &[u8]) -> Self {
        postcard::from_bytes(bytes).expect("a job that this program has put")
    }

    fn bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("a job has bytes")
    }

    /// Its key in the bucket by due.
    fn turn(&self, id: u64) -> Vec<u8> {
        [self.due.to_be_bytes(), id.to_be_bytes()].concat()
    }
}

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

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("some centuries")
}

fn now() -> u64 {
    nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn put(tx: &mut WriteTx<'_>, id: u64, job: &Job) -> Result<()> {
    remove(tx, id)?;
    tx.bucket_mut("jobs")?.put(id.to_be_bytes(), job.bytes())?;
    tx.bucket_mut("jobs by due")?.put(job.turn(id), "")
}

fn remove(tx: &mut WriteTx<'_>, id: u64) -> Result<()> {
    if let Some(before) = get(tx, id)? {
        tx.bucket_mut("jobs")?.delete(id.to_be_bytes())?;
        tx.bucket_mut("jobs by due")?.delete(before.turn(id))?;
    }
    Ok(())
}

fn get(tx: &WriteTx<'_>, id: u64) -> Result<Option<Job>> {
    Ok(tx.bucket("jobs")?.get(id.to_be_bytes())?.map(Job::of))
}

fn add(tx: &mut WriteTx<'_>, task: String) -> Result<()> {
    // The counter of the bucket never gives a number twice, also when the queue was empty in between.
    let id = tx.bucket_mut("jobs")?.next_sequence()?;
    put(tx, id, &Job { task, due: now(), attempts: 0 })
}

fn take(tx: &mut WriteTx<'_>) -> Result<Taken> {
    let Some((turn, _)) = tx.bucket("jobs by due")?.first()? else { return Ok(Taken::Empty) };
    let (due, id) = (number(turn), number(&turn[8..]));
    if due > now() {
        return Ok(Taken::Wait(due));
    }
    let mut job = get(tx, id)?.expect("the index has only jobs that are there");
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
fn finish(tx: &mut WriteTx<'_>, id: u64, taken: &Job, result: Result<&str, &str>) -> Result<bool> {
    let Some(mut job) = get(tx, id)?.filter(|job| job.attempts == taken.attempts) else { return Ok(false) };
    match result {
        Ok(result) => {
            remove(tx, id)?;
            tx.bucket_mut("results")?.put(id.to_be_bytes(), result)?;
        }
        Err(_) if job.attempts == ATTEMPTS_MAX => give_up(tx, id, &job)?,
        Err(_) => {
            job.due = now() + nanoseconds(BACKOFF * job.attempts);
            put(tx, id, &job)?;
        }
    }
    Ok(result.is_ok())
}

fn give_up(tx: &mut WriteTx<'_>, id: u64, job: &Job) -> Result<()> {
    remove(tx, id)?;
    tx.bucket_mut("given up")?.put(id.to_be_bytes(), job.bytes())
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
            Taken::Wait(due) => thread::sleep(Duration::from_nanos(due.saturating_sub(now())).min(LEASE)),
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
    let number_of: u32 = rest.first().unwrap_or(&"1").parse()?;
    let db = Db::open(path)?;
    let buckets = ["jobs", "jobs by due", "results", "given up"];
    db.update(|tx| buckets.iter().try_for_each(|name| tx.create_bucket_if_absent(name).map(drop)))?;

    match *command {
        "add" => db.update(|tx| (0..number_of).try_for_each(|n| add(tx, "x".repeat(1 + n as usize % 50))))?,
        // Jobs that cannot be done.
        "fail" => db.update(|tx| (0..number_of).try_for_each(|_| add(tx, String::new())))?,
        "work" => thread::scope(|scope| {
            let workers: Vec<_> = (0..number_of).map(|_| scope.spawn(|| worker(&db))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
        })?,
        "results" => db.view(|tx| {
            tx.bucket("results")?.iter().try_for_each(|row| {
                row.map(|(id, result)| println!("{} {}", number(id), String::from_utf8_lossy(result)))
            })
        })?,
        "status" => db.view(|tx| {
            let (waiting, done) = (tx.bucket("jobs")?.len()?, tx.bucket("results")?.len()?);
            println!("{waiting} waiting, {done} done, {} given up", tx.bucket("given up")?.len()?);
            Ok(())
        })?,
        other => return Err(format!("no command {other}: add, fail, work, results, status").into()),
    }
    Ok(db.close()?)
}
