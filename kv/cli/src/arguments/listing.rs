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
        let mut list = self.begin();
        for name in names {
            list.name(name?, out)?;
        }
        list.end(out)
    }

    pub(crate) const fn begin(self) -> List {
        List { listing: self, empty: true }
    }
}

/// A list that is printed name by name: all of them may not fit into memory.
#[derive(Debug)]
pub(crate) struct List {
    listing: Listing,
    empty: bool,
}

impl List {
    pub(crate) fn name(&mut self, name: &[u8], out: &mut impl Write) -> Result<()> {
        if !self.listing.json {
            return Ok(self.listing.format.writeln(out, name)?);
        }
        write!(out, "{}", if self.empty { "[\n  " } else { ",\n  " })?;
        self.empty = false;
        Ok(serde_json::to_writer(out, &Encoding::Text.text(name))?)
    }

    pub(crate) fn end(self, out: &mut impl Write) -> Result<()> {
        match (self.listing.json, self.empty) {
            (false, _) => Ok(()),
            (true, true) => Ok(out.write_all(b"[\n]\n")?),
            (true, false) => Ok(out.write_all(b"\n]\n")?),
        }
    }
}
