//! The thread that writes what is queued, with `Durability::Eventual`.
//!
//! The first commit that is queued sets an alarm; when it rings, everything that is queued by then is written, and the next commit
//! sets it anew. The thread knows the log and the store, and not the database: so it keeps nothing open that its owner
//! has dropped.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::super::core::Core;
use super::queue::LogQueue;
use super::sink::LogSink;

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Background {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    alarm: Mutex<Alarm>,
    changed: Condvar,
    period: Duration,
    log: Arc<LogQueue>,
    sink: Arc<LogSink>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Alarm {
    /// Nothing is queued, as far as the thread is to know.
    Off,
    At(Instant),
    /// The thread is to end.
    Over,
}

impl Background {
    /// What is queued in the log of `core` is written after `period` at the latest.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn start(core: &Core, period: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            alarm: Mutex::new(Alarm::Off),
            changed: Condvar::new(),
            period,
            log: Arc::clone(&core.log),
            sink: Arc::clone(&core.sink),
        });
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new().name("kv-log".into()).spawn(move || own.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// A commit has been queued.
    pub(crate) fn note(&self) {
        let mut alarm = self.shared.lock();
        if *alarm != Alarm::Off {
            return;
        }
        // A period without an end sets no alarm.
        if let Some(at) = Instant::now().checked_add(self.shared.period) {
            *alarm = Alarm::At(at);
            drop(alarm);
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        *self.shared.lock() = Alarm::Over;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the store's was told to whoever waits for the log.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        while self.rings() {
            // What fails is kept by the log, which tells the next commit.
            let _ = self.log.drain(&*self.sink);
        }
    }

    /// Waits for the alarm; false if there will be none any more.
    fn rings(&self) -> bool {
        let mut alarm = self.lock();
        loop {
            let now = Instant::now();
            alarm = match *alarm {
                Alarm::Over => return false,
                Alarm::At(at) if at <= now => {
                    *alarm = Alarm::Off;
                    return true;
                }
                Alarm::At(at) => {
                    let left = at.saturating_duration_since(now);
                    self.changed.wait_timeout(alarm, left).unwrap_or_else(PoisonError::into_inner).0
                }
                Alarm::Off => self.changed.wait(alarm).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Alarm> {
        self.alarm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
