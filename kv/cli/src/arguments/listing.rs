//! A list of keys or names, one a line or as JSON.

use std::io::Write;

use clap::Args;

use crate::failure::Result;
use crate::notation::{Encoding, Format};

/// How the list is shown.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Listing {
    /// How each is shown; other commands take what `auto` shows
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,

    /// As a JSON list: text as a string, other bytes as {"base64":"..."}
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl Listing {
    pub(crate) fn print(self, names: &mut dyn Iterator<Item = kv::Result<&[u8]>>, out: &mut impl Write) -> Result<()> {
        if !self.json {
            for name in names {
                self.format.writeln(out, name?)?;
            }
            return Ok(());
        }
        // Element by element: all of them may not fit into memory.
        write!(out, "[")?;
        for (index, name) in names.enumerate() {
            write!(out, "{}", if index == 0 { "\n  " } else { ",\n  " })?;
            serde_json::to_writer(&mut *out, &Encoding::Text.text(name?))?;
        }
        Ok(writeln!(out, "\n]")?)
    }
}
