//! An engine's process as the contest sees it.

use std::io::{BufRead as _, BufReader, BufWriter};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::{Reply, Result, Task};

/// No task takes longer: an engine that does not answer is given up.
const PATIENCE: Duration = Duration::from_mins(20);

/// A process that has a store open. Dropping it closes the store.
#[derive(Debug)]
pub struct Child {
    process: Process,
    tasks: Option<BufWriter<ChildStdin>>,
    replies: Receiver<std::io::Result<String>>,
}

impl Child {
    /// Starts a process, and answers what opening the store took.
    ///
    /// # Errors
    /// If it cannot be started or the store not be opened.
    pub fn start(command: &mut Command) -> Result<(Self, Reply)> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(tasks), Some(lines)) = (process.stdin.take(), process.stdout.take()) else {
            unreachable!("both are piped")
        };
        let (sender, replies) = channel();
        thread::spawn(move || BufReader::new(lines).lines().try_for_each(|line| sender.send(line)));
        let mut child = Self { process, tasks: Some(BufWriter::new(tasks)), replies };
        let opened = child.reply()?;
        Ok((child, opened))
    }

    /// Has a task done.
    ///
    /// # Errors
    /// What the engine says, if it has ended, or takes too long.
    pub fn ask(&mut self, task: &Task) -> Result<Reply> {
        // If it has ended, `reply` says how.
        let _ = self.tasks.as_mut().map(|tasks| task.write(tasks));
        self.reply()
    }

    fn reply(&mut self) -> Result<Reply> {
        match self.replies.recv_timeout(PATIENCE) {
            Ok(line) => Reply::parse(&line?),
            Err(RecvTimeoutError::Timeout) => {
                self.process.kill()?;
                Err(format!("no answer in {PATIENCE:?}").into())
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(format!("the engine's process has ended: {}", self.process.wait()?).into())
            }
        }
    }

    /// Bytes of memory that belong to the process alone, where the system tells.
    #[must_use]
    pub fn anonymous(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        Some(kilobytes.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    }

    /// Ends the process as a crash does.
    pub fn kill(mut self) {
        let _ = self.process.kill();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.tasks.take());
        let _ = self.process.wait();
    }
}
