//! The process of an engine: does the tasks that come, and answers.

use std::io::{BufRead, Write};
use std::thread;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;

use crate::{Engine, Operation, Pairs, Reply, Result, Task};

/// Opens the store, answers what that took, and does tasks until there are no more.
///
/// # Errors
/// Those of the pipe. An engine that fails answers so.
pub fn serve(
    open: impl FnOnce() -> Result<Box<dyn Engine>>,
    mut tasks: impl BufRead,
    mut replies: impl Write,
) -> Result<()> {
    let (cpu, wall) = (ProcessTime::now(), Instant::now());
    let engine = match open() {
        Ok(engine) => engine,
        Err(error) => return Reply::write_error(&error.to_string(), &mut replies),
    };
    Reply { wall: wall.elapsed(), cpu: cpu.elapsed(), ..Reply::default() }.write(&mut replies)?;
    while let Some(task) = Task::read(&mut tasks)? {
        match run(&*engine, &task) {
            Ok(reply) => reply.write(&mut replies)?,
            Err(error) => Reply::write_error(&error.to_string(), &mut replies)?,
        }
    }
    Ok(())
}

fn run(engine: &dyn Engine, task: &Task) -> Result<Reply> {
    let (cpu, wall) = (ProcessTime::now(), Instant::now());
    let mut reply = Reply::default();
    if task.threads > 1 {
        let part = task.numbers.len().div_ceil(task.threads).max(1);
        thread::scope(|scope| {
            let parts = task.numbers.chunks(part);
            let threads: Vec<_> = parts.map(|part| scope.spawn(move || work(engine, task, part))).collect();
            threads.into_iter().try_for_each(|thread| -> Result<()> {
                reply.add(thread.join().map_err(|_| "a thread of the engine panicked")??);
                Ok(())
            })
        })?;
    } else {
        reply = work(engine, task, &task.numbers)?;
    }
    reply.wall = wall.elapsed();
    if task.writes() {
        settle(cpu);
    }
    reply.cpu = cpu.elapsed();
    Ok(reply)
}

fn work(engine: &dyn Engine, task: &Task, numbers: &[u64]) -> Result<Reply> {
    let pairs = |numbers| Pairs { numbers, shape: task.shape };
    let mut reply = Reply::default();
    let mut timed = |transaction: &dyn Fn() -> Result<()>| -> Result<()> {
        let begin = Instant::now();
        transaction()?;
        reply.transactions.push(begin.elapsed());
        Ok(())
    };
    let mut transactions = numbers.chunks(task.size);
    match task.operation {
        Operation::Put => transactions.try_for_each(|part| timed(&|| engine.put(pairs(part))))?,
        Operation::Batch => transactions.try_for_each(|part| timed(&|| engine.batch(pairs(part))))?,
        Operation::Delete => transactions.try_for_each(|part| timed(&|| engine.delete(pairs(part))))?,
        Operation::DeleteRange => timed(&|| engine.delete_range())?,
        Operation::Retain => timed(&|| engine.retain())?,
        Operation::Get => {
            let get = |sum: u64, part| -> Result<u64> { Ok(sum.wrapping_add(engine.get(pairs(part))?)) };
            reply.sum = transactions.try_fold(0, get)?;
        }
        Operation::GetMany => reply.sum = engine.get_many(pairs(numbers), task.size)?,
        Operation::Scan => reply.sum = engine.scan(pairs(numbers), task.size)?,
    }
    Ok(reply)
}

/// Waits until the engine's threads have nothing more to do in the background, ten seconds at most: that is part of the
/// work, too.
fn settle(cpu: ProcessTime) {
    const PAUSE: Duration = Duration::from_millis(20);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        let before = cpu.elapsed();
        thread::sleep(PAUSE);
        if cpu.elapsed().saturating_sub(before) < PAUSE / 20 {
            break;
        }
    }
}
