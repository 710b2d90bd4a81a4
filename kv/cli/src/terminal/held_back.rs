//! Output of a command that may have to begin again.

use std::cell::RefCell;
use std::io::{self, BufWriter, Write};
use std::mem;
use std::rc::Rc;

use super::Terminal;
use crate::failure::Result;

/// What a command has printed, held in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Printed {
    out: Bytes,
    err: Bytes,
}

impl Terminal<'_> {
    /// Runs a command whose output is held back, to be [shown](Self::show) or forgotten.
    pub(crate) fn held_back<T>(&mut self, command: impl FnOnce(&mut Self) -> T) -> (T, Printed) {
        let printed = Printed::default();
        let out = mem::replace(&mut self.out, BufWriter::new(Box::new(printed.out.clone())));
        let err = mem::replace(&mut self.err, Box::new(printed.err.clone()));
        let done = command(self);
        // Writing into memory does not fail.
        let _ = self.out.flush();
        (self.out, self.err) = (out, err);
        (done, printed)
    }

    pub(crate) fn show(&mut self, printed: &Printed) -> Result<()> {
        // If standard error is closed, nobody wants these lines.
        let _ = self.err.write_all(&printed.err.0.borrow());
        Ok(self.out.write_all(&printed.out.0.borrow())?)
    }
}

/// Bytes that a writer and their reader share.
#[derive(Clone, Debug, Default)]
struct Bytes(Rc<RefCell<Vec<u8>>>);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
