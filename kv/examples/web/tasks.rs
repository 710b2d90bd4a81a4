//! A database among tasks of tokio: which calls wait, and where they are made.
//!
//! - A read is a look into mapped memory: called directly.
//! - A commit waits for the disk: `spawn_blocking`, where `Db::batch` lets the tasks share commits.
//! - A read transaction that a task holds across its waits: `begin_read_owned`.
//! - At the end `close` has the only handle, since the tasks dropped theirs.
//!
//! ```sh
//! cargo run -p kv-example-web --bin tasks
//! ```

use std::error::Error;
use std::time::Duration;

use kv::Db;
use tokio::task::{JoinSet, spawn_blocking};

const TASKS: u64 = 16;
const STEPS: u64 = 20;

/// Counts in its own key, each step durable before the next.
async fn count(db: Db, task: u64) -> kv::Result<()> {
    for step in 1..=STEPS {
        let db = db.clone();
        let put =
            move |tx: &mut kv::WriteTx<'_>| tx.bucket_mut("steps")?.put(format!("task {task:02}"), step.to_string());
        spawn_blocking(move || db.batch(put)).await.expect("a commit does not panic")?;
    }
    Ok(())
}

/// Looks at one state of the database for as long as it likes: the tasks that write do not wait for it.
async fn look_twice(db: Db) -> kv::Result<bool> {
    let snapshot = db.begin_read_owned();
    let sum = |tx: &kv::ReadTx<'_>| -> kv::Result<u64> {
        tx.bucket("steps")?.iter().try_fold(0, |sum, pair| {
            let steps = String::from_utf8_lossy(pair?.1).parse::<u64>().expect("a number that `count` has put");
            Ok(sum + steps)
        })
    };
    let before = sum(&snapshot)?;
    tokio::time::sleep(Duration::from_millis(5)).await;
    Ok(sum(&snapshot)? == before)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let db = Db::open(directory.path().join("tasks.db"))?;
    db.update(|tx| tx.create_bucket("steps").map(drop))?;

    let before = db.stats();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(count(db.clone(), task));
    }
    let steady = tokio::spawn(look_twice(db.clone())).await??;
    assert!(steady, "a snapshot does not change");
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }

    let done = db.view(|tx| tx.bucket("steps")?.len())?;
    assert_eq!(done, TASKS);
    let commits = db.stats().since(&before).tx.commits;
    println!("{} durable steps in {commits} commits", TASKS * STEPS);
    db.close()?;
    Ok(())
}
