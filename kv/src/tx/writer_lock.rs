//! The writer lock: the one write transaction at a time takes the [`Writer`] out and puts it back.

use std::sync::PoisonError;

use super::sync::{Condvar, Mutex, MutexGuard};
use super::writer::Writer;

/// Holds the writer while nobody writes. Taking it out is the writer lock, and needs no guard that is bound to a thread.
#[derive(Debug)]
pub(crate) struct WriterLock {
    writer: Mutex<Option<Box<Writer>>>,
    returned: Condvar,
}

impl WriterLock {
    /// A database that is read-only has no writer.
    pub(crate) fn new(writer: Option<Writer>) -> Self {
        Self { writer: Mutex::new(writer.map(Box::new)), returned: Condvar::new() }
    }

    /// Waits for the writer.
    pub(crate) fn take(&self) -> Box<Writer> {
        let mut held = self.lock();
        loop {
            match held.take() {
                Some(writer) => return writer,
                None => held = self.returned.wait(held).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// The writer, if nobody has it.
    pub(crate) fn try_take(&self) -> Option<Box<Writer>> {
        self.lock().take()
    }

    pub(crate) fn give_back(&self, writer: Box<Writer>) {
        *self.lock() = Some(writer);
        self.returned.notify_one();
    }

    /// A panic cannot happen while the lock is held, so what it guards is whole even if the lock says otherwise.
    fn lock(&self) -> MutexGuard<'_, Option<Box<Writer>>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
