//! The writer's seat: what only the one write transaction at a time may hold.

use std::fmt;
use std::sync::PoisonError;

use freelist_core::{FreeSpans, Freelist, Span};

use super::sync::{Condvar, Mutex, MutexGuard};
use crate::format::Meta;

/// A freelist of either kind.
pub(crate) type AnyFreelist = Freelist<Box<dyn FreeSpans + Send>>;

/// The state that goes from one write transaction to the next.
pub(crate) struct Writer {
    /// The last meta that is durable.
    pub(crate) meta: Meta,
    pub(crate) freelist: AnyFreelist,
    /// The pages that hold the freelist in the file, if it is there.
    pub(crate) stored: Option<Span>,
    /// Page buffers to use again.
    pub(crate) buffers: Vec<Vec<u8>>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("meta", &self.meta).field("stored", &self.stored).finish_non_exhaustive()
    }
}

/// Holds the writer while nobody writes. Taking it out is the writer lock, and needs no guard that is bound to a thread.
#[derive(Debug)]
pub(crate) struct WriterSeat {
    writer: Mutex<Option<Box<Writer>>>,
    returned: Condvar,
}

impl WriterSeat {
    /// A database that is read-only has no writer.
    pub(crate) fn new(writer: Option<Writer>) -> Self {
        Self { writer: Mutex::new(writer.map(Box::new)), returned: Condvar::new() }
    }

    /// Waits for the writer.
    pub(crate) fn take(&self) -> Box<Writer> {
        let mut seat = self.lock();
        loop {
            match seat.take() {
                Some(writer) => return writer,
                None => seat = self.returned.wait(seat).unwrap_or_else(PoisonError::into_inner),
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
