//! Keys or names one under the other.

use std::io::Write;

use clap::Args;

use crate::failure::Result;
use crate::notation::Format;
use crate::notation::record::Encoding;

/// How they are shown.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Listing {
    /// How each is shown; `auto` does not tell text from hex that looks the same
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
        // Element by element: there may be more of them than fit into memory.
        write!(out, "[")?;
        for (index, name) in names.enumerate() {
            write!(out, "{}", if index == 0 { "\n  " } else { ",\n  " })?;
            serde_json::to_writer(&mut *out, &Encoding::Text.text(name?))?;
        }
        Ok(writeln!(out, "\n]")?)
    }
}
