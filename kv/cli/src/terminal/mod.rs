//! What a command has besides its arguments: its streams, its progress bars, and how it comes to its file.

mod held_back;
mod progress;
mod streams;

use std::fmt;
use std::io::{BufRead, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use kv::Peek;
use serde::Serialize;

use crate::failure::{Failure, Result};
pub(crate) use held_back::Printed;
pub(crate) use progress::Progress;
pub use streams::Streams;

/// Standard output.
pub(crate) type Output<'s> = BufWriter<Box<dyn Write + 's>>;

pub(crate) struct Terminal<'s> {
    pub(crate) input: Box<dyn BufRead + 's>,
    pub(crate) out: Output<'s>,
    err: Box<dyn Write + 's>,
    pub(crate) progress: Progress,
    pub(crate) colours: bool,
    /// Columns and rows of the terminal that the output goes to, if it goes to one.
    pub(crate) size: Option<(u16, u16)>,
    pub(crate) lock_timeout: Duration,
    /// Commands that read look into their file through this, without its lock.
    pub(crate) live: Option<Peek>,
}

impl<'s> Terminal<'s> {
    pub(crate) fn new(streams: Streams<'s>, lock_timeout: Duration) -> Self {
        let Streams { input, output, error, progress, colours, size } = streams;
        Self { input, out: BufWriter::new(output), err: error, progress, colours, size, lock_timeout, live: None }
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }

    /// One JSON value, indented, for scripts.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        serde_json::to_writer_pretty(&mut self.out, value)?;
        Ok(self.out.write_all(b"\n")?)
    }

    /// The line between two pages.
    pub(crate) fn separator(&mut self) -> Result<()> {
        Ok(writeln!(self.out, "===============================================")?)
    }

    /// A line on standard error.
    pub(crate) fn note(&mut self, line: fmt::Arguments<'_>) {
        // If standard error is closed, nobody wants the line.
        let _ = self.err.write_fmt(format_args!("{line}\n"));
    }

    /// Prints why the command failed, after what it found before; returns the exit code. `file` is the command's own.
    pub(crate) fn report(&mut self, failure: Failure, file: Option<&Path>) -> u8 {
        // If the output fails too, the first failure is the one to report.
        let _ = self.flush();
        failure.report(file, &mut self.err)
    }

    /// Prints help, or an error of the command line's parser.
    pub(crate) fn usage(mut self, text: &str, is_error: bool) {
        let stream: &mut dyn Write = if is_error { &mut self.err } else { &mut self.out };
        // The exit code has to be enough if nobody reads it.
        let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    }

    /// The end of a command that judges: damage that it found decides the exit code, even if the reader of the output
    /// (`| head`) left before it had read everything.
    ///
    /// # Errors
    /// [`Failure::Reported`] if not `sound`; otherwise the error of printing.
    pub(crate) fn verdict(&mut self, sound: bool, printed: Result<()>) -> Result<()> {
        match printed.and_then(|()| self.flush()) {
            Ok(()) | Err(Failure::OutputClosed) if !sound => Err(Failure::Reported),
            printed => printed,
        }
    }
}
