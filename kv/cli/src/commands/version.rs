//! `kv version`: the versions of the tool and of the file format.

use std::env::consts::{ARCH, OS};
use std::io::Write;

use clap::Args;

use crate::failure::Result;
use crate::terminal::Terminal;

/// Print the versions of the tool and of the file format
#[derive(Debug, Args)]
pub(crate) struct Version {}

impl Version {
    #[allow(clippy::unused_self, reason = "every command is run this way")]
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        writeln!(terminal.out, "kv Version: {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(terminal.out, "File format: bbolt 2")?;
        writeln!(terminal.out, "OS/Arch: {OS}/{ARCH}")?;
        Ok(())
    }
}
