//! The writer, taken out of its lock by what is no transaction, or none yet.

use std::ops::{Deref, DerefMut};

use super::core::Core;
use super::writer::Writer;
use super::writer_lock::Ends;
use crate::error::{Error, Result};

/// The writer. It goes back when this is dropped, also if a store of the user's own panics.
#[derive(Debug)]
pub(crate) struct Taken<'c> {
    core: &'c Core,
    /// None when a transaction keeps it.
    writer: Option<Box<Writer>>,
}

impl Taken<'_> {
    /// The writer, for a transaction, which gives it back.
    pub(super) fn keep(mut self) -> Box<Writer> {
        let Some(writer) = self.writer.take() else { unreachable!("it is kept once") };
        writer
    }
}

/// Waits for the writer.
///
/// # Errors
/// - [`Error::ReadOnly`], and what [refuses](Core::refusal) writes.
/// - [`Error::AlreadyWriting`] where this thread itself has it.
pub(crate) fn take_writer(core: &Core, ends: Ends) -> Result<Taken<'_>> {
    if core.settings.read_only {
        return Err(Error::ReadOnly);
    }
    if let Some(refusal) = core.refusal() {
        return Err(refusal);
    }
    let taken = take(core, ends)?;
    // The transaction before may have failed meanwhile.
    match core.refusal().or_else(|| taken.in_doubt.then_some(Error::Poisoned)) {
        Some(refusal) => Err(refusal),
        None => Ok(taken),
    }
}

/// Waits for the writer, whatever it is for.
pub(super) fn take(core: &Core, ends: Ends) -> Result<Taken<'_>> {
    Ok(Taken { core, writer: Some(core.writer_lock.take(ends)?) })
}

impl Deref for Taken<'_> {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        let Some(writer) = &self.writer else { unreachable!("what was kept is not used here") };
        writer
    }
}

impl DerefMut for Taken<'_> {
    fn deref_mut(&mut self) -> &mut Writer {
        let Some(writer) = &mut self.writer else { unreachable!("what was kept is not used here") };
        writer
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            self.core.writer_lock.give_back(writer);
        }
    }
}
