//! What a command has besides its arguments: standard output, and how long to wait for locks.

pub(crate) mod progress;

use std::io::{BufWriter, IsTerminal, StdoutLock, Write};
use std::time::Duration;

use serde::Serialize;

use crate::failure::Result;

#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) out: BufWriter<StdoutLock<'static>>,
    pub(crate) lock_timeout: Duration,
}

impl Terminal {
    pub(crate) fn new(lock_timeout: Duration) -> Self {
        Self { out: BufWriter::new(std::io::stdout().lock()), lock_timeout }
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }

    /// One JSON value on its own lines, for scripts.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        serde_json::to_writer_pretty(&mut self.out, value)?;
        Ok(self.out.write_all(b"\n")?)
    }

    /// Whether colours are wanted: a person looks, and has not said no (see <https://no-color.org>).
    pub(crate) fn colours() -> bool {
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }
}
