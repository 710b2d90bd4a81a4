//! The writer lock: the one write transaction at a time takes the [`Writer`] out and puts it back.

use std::sync::PoisonError;

use super::writer::Writer;
use crate::error::{Error, Result};
use crate::store::sync::{Condvar, Mutex, MutexGuard, ThreadId, this_thread};

/// Holds the writer while nobody writes. Taking it out is the writer lock, and needs no guard that is bound to a thread.
#[derive(Debug)]
pub(crate) struct WriterLock {
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug)]
struct State {
    /// None while a transaction has it, and in a database that is read-only.
    writer: Option<Box<Writer>>,
    /// The thread that took the writer and keeps it, as far as that is known.
    holder: Option<ThreadId>,
}

/// Where the transaction that takes the writer will end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ends {
    /// On the thread that begins it: the thread would wait for itself if it began another one first.
    Here,
    /// On any thread, to which it may be sent.
    Anywhere,
}

impl WriterLock {
    /// A database that is read-only has no writer.
    pub(crate) fn new(writer: Option<Writer>) -> Self {
        let state = State { writer: writer.map(Box::new), holder: None };
        Self { state: Mutex::new(state), returned: Condvar::new() }
    }

    /// Waits for the writer.
    ///
    /// # Errors
    /// [`Error::AlreadyWriting`] where this thread itself has it.
    pub(crate) fn take(&self, ends: Ends) -> Result<Box<Writer>> {
        let this = this_thread();
        let mut state = self.lock();
        loop {
            if state.holder == Some(this) {
                return Err(Error::AlreadyWriting);
            }
            match state.writer.take() {
                Some(writer) => {
                    assert_eq!(state.holder, None, "nobody holds a writer that is there");
                    state.holder = Some(this).filter(|_| ends == Ends::Here);
                    return Ok(writer);
                }
                None => state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// The writer, if nobody has it.
    pub(crate) fn try_take(&self) -> Option<Box<Writer>> {
        let mut state = self.lock();
        assert!(state.writer.is_none() || state.holder.is_none(), "nobody holds a writer that is there");
        state.writer.take()
    }

    pub(crate) fn give_back(&self, writer: Box<Writer>) {
        let mut state = self.lock();
        assert!(state.writer.is_none(), "there is one writer");
        state.writer = Some(writer);
        state.holder = None;
        drop(state);
        self.returned.notify_one();
    }

    /// Whether this thread has the writer, and keeps it until it gives it back.
    pub(crate) fn is_held_here(&self) -> bool {
        let state = self.lock();
        assert!(state.writer.is_none() || state.holder.is_none(), "nobody holds a writer that is there");
        state.holder == Some(this_thread())
    }

    /// A panic cannot happen while the lock is held, but from a broken assertion; what it guards is whole then too.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
