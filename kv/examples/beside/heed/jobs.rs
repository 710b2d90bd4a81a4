//! `jobs` with heed: the order of jobs by when they are due, and the numbers of jobs, are databases of their own. Each
//! worker commits by itself.
#![allow(unsafe_code, reason = "opening a file of LMDB's is unsafe")]

use std::error::Error;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use heed::types::{SerdeBincode, Str, U64};
use heed::{CommitOrAbort, Database, DatabaseFlags, Env, EnvFlags, EnvOpenOptions, RwTxn, byteorder::BigEndian};
use serde::{Deserialize, Serialize};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;
type Number = U64<BigEndian>;

#[derive(Clone, Serialize, Deserialize)]
struct Job {
    task: String,
    /// When a worker may take it, or take it again.
    due: u64,
    /// How often it was taken.
    attempts: u32,
}

/// The databases of the file.
#[derive(Clone, Copy)]
struct Store {
    jobs: Database<'static, Number, SerdeBincode<Job>>,
    /// Several jobs for an instant.
    by_due: Database<'static, Number, Number>,
    /// The last number that was given.
    numbers: Database<'static, Str, Number>,
    /// Of each finished job, what came of it.
    results: Database<'static, Number, Str>,
    /// Jobs that failed too often.
    given_up: Database<'static, Number, SerdeBincode<Job>>,
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

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("some centuries")
}

fn now() -> u64 {
    nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

impl Store {
    fn open(env: &Env) -> Result<Self> {
        let opened = env.create_databases_and_commit(env.write_txn()?, |opener, tx| -> Result<_> {
            let mut by_due = opener.database_options().types();
            by_due.name("jobs by due").flags(DatabaseFlags::DUP_SORT);
            Ok(CommitOrAbort::<_, ()>::Commit((
                opener.create_database(tx, Some("jobs"))?,
                by_due.create(tx)?,
                opener.create_database(tx, Some("numbers"))?,
                opener.create_database(tx, Some("results"))?,
                opener.create_database(tx, Some("given up"))?,
            )))
        })?;
        let (jobs, by_due, numbers, results, given_up) = opened.unwrap_commit();
        Ok(Self { jobs, by_due, numbers, results, given_up })
    }

    fn put(&self, tx: &mut RwTxn<'_>, id: u64, job: &Job) -> Result<()> {
        self.remove(tx, id)?;
        self.jobs.put(tx, &id, job)?;
        Ok(self.by_due.put(tx, &job.due, &id)?)
    }

    fn remove(&self, tx: &mut RwTxn<'_>, id: u64) -> Result<()> {
        if let Some(before) = self.jobs.get(tx, &id)? {
            self.jobs.delete(tx, &id)?;
            self.by_due.delete_one_duplicate(tx, &before.due, &id)?;
        }
        Ok(())
    }

    fn add(&self, tx: &mut RwTxn<'_>, task: String) -> Result<()> {
        let id = self.numbers.get(tx, "jobs")?.map_or(1, |last| last + 1);
        self.numbers.put(tx, "jobs", &id)?;
        self.put(tx, id, &Job { task, due: now(), attempts: 0 })
    }

    fn take(&self, tx: &mut RwTxn<'_>) -> Result<Taken> {
        let Some((due, id)) = self.by_due.first(tx)? else { return Ok(Taken::Empty) };
        if due > now() {
            return Ok(Taken::Wait(due));
        }
        let mut job = self.jobs.get(tx, &id)?.ok_or("the index has a job that is not there")?;
        job.attempts += 1;
        if job.attempts > ATTEMPTS_MAX {
            self.give_up(tx, id, &job)?;
            return self.take(tx);
        }
        job.due = now() + nanoseconds(LEASE);
        self.put(tx, id, &job)?;
        Ok(Taken::Job(id, job))
    }

    /// Puts the result in place of the job. A worker that came too late finds that the job is no longer its own, and its
    /// result is dropped.
    fn finish(&self, tx: &mut RwTxn<'_>, id: u64, taken: &Job, result: Result<&str, &str>) -> Result<bool> {
        let job = self.jobs.get(tx, &id)?.filter(|job| job.attempts == taken.attempts);
        let Some(mut job) = job else { return Ok(false) };
        match result {
            Ok(result) => {
                self.remove(tx, id)?;
                self.results.put(tx, &id, result)?;
            }
            Err(_) if job.attempts == ATTEMPTS_MAX => self.give_up(tx, id, &job)?,
            Err(_) => {
                job.due = now() + nanoseconds(BACKOFF * job.attempts);
                self.put(tx, id, &job)?;
            }
        }
        Ok(result.is_ok())
    }

    fn give_up(&self, tx: &mut RwTxn<'_>, id: u64, job: &Job) -> Result<()> {
        self.remove(tx, id)?;
        Ok(self.given_up.put(tx, &id, job)?)
    }
}

/// The work itself: here, the number of letters.
fn work_on(task: &str) -> Result<String, String> {
    thread::sleep(Duration::from_millis(2));
    if task.is_empty() { Err("nothing to count".into()) } else { Ok(task.len().to_string()) }
}

/// One transaction.
fn update<T>(env: &Env, work: impl FnOnce(&mut RwTxn<'_>) -> Result<T>) -> Result<T> {
    let mut tx = env.write_txn()?;
    let done = work(&mut tx)?;
    tx.commit()?;
    Ok(done)
}

/// Works until the queue is empty. Says of each job when its result is durable.
fn worker(env: &Env, store: Store) -> Result<()> {
    loop {
        match update(env, |tx| store.take(tx))? {
            Taken::Empty => return Ok(()),
            Taken::Wait(due) => thread::sleep(Duration::from_nanos(due.saturating_sub(now())).min(LEASE)),
            Taken::Job(id, job) => {
                let result = work_on(&job.task);
                if update(env, |tx| store.finish(tx, id, &job, result.as_deref().map_err(String::as_str)))? {
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
    let mut options = EnvOpenOptions::new();
    options.map_size(1 << 30).max_dbs(5);
    // SAFETY: no other program truncates the file, and this process opens it once.
    let env = unsafe { options.flags(EnvFlags::NO_SUB_DIR).open(path)? };
    let store = Store::open(&env)?;

    match *command {
        "add" => update(&env, |tx| (0..number).try_for_each(|n| store.add(tx, "x".repeat(1 + n as usize % 50))))?,
        // Jobs that cannot be done.
        "fail" => update(&env, |tx| (0..number).try_for_each(|_| store.add(tx, String::new())))?,
        "work" => thread::scope(|scope| {
            let workers: Vec<_> = (0..number).map(|_| scope.spawn(|| worker(&env, store))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
        })?,
        "results" => {
            let tx = env.read_txn()?;
            for row in store.results.iter(&tx)? {
                let (id, result) = row?;
                println!("{id} {result}");
            }
        }
        "status" => {
            let tx = env.read_txn()?;
            let (waiting, done) = (store.jobs.len(&tx)?, store.results.len(&tx)?);
            println!("{waiting} waiting, {done} done, {} given up", store.given_up.len(&tx)?);
        }
        other => return Err(format!("no command {other}: add, fail, work, results, status").into()),
    }
    Ok(())
}
