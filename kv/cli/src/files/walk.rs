//! A walk over a bucket, which may go on in newer states of a file that another program writes.

use std::ops::Bound;
use std::path::Path;

use kv::{Error, ReadTx};

use crate::failure::{At, Failure, Result};
use crate::files::open;
use crate::notation::quoted_or_hex;
use crate::terminal::{Output, Terminal};

/// The keys from a bound to a bound.
pub(crate) type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// What is left of a walk: it goes on after the last key that was printed.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    range: Range,
    limit: usize,
    reverse: bool,
    /// The last key that was printed, and how many were.
    last: Vec<u8>,
    printed: usize,
}

impl Rest {
    pub(crate) const fn new(range: Range, limit: usize, reverse: bool) -> Self {
        Self { range, limit, reverse, last: Vec::new(), printed: 0 }
    }

    /// The keys that are left.
    pub(crate) fn range(&self) -> Range {
        let (start, end) = self.range.clone();
        let last = || Bound::Excluded(self.last.clone());
        match (self.printed, self.reverse) {
            (0, _) => (start, end),
            (_, false) => (last(), end),
            (_, true) => (start, last()),
        }
    }

    /// Of `items`, which are those of the [`range`](Self::range), as many as are left in the order that is asked for.
    pub(crate) fn choose<'i, I: DoubleEndedIterator + 'i>(&self, items: I) -> Box<dyn Iterator<Item = I::Item> + 'i> {
        let left = self.limit.saturating_sub(self.printed);
        if self.reverse { Box::new(items.rev().take(left)) } else { Box::new(items.take(left)) }
    }

    /// Notes that `key` was printed.
    pub(crate) fn passed(&mut self, key: &[u8]) {
        self.last.clear();
        self.last.extend_from_slice(key);
        self.printed = self.printed.saturating_add(1);
    }
}

/// Prints with `print` what is asked for by `rest`: of one state of the file, or of each newer state what is left.
pub(crate) fn walk(
    file: &Path,
    across_commits: bool,
    rest: &mut Rest,
    terminal: &mut Terminal<'_>,
    mut print: impl FnMut(&ReadTx<'_>, &mut Rest, &mut Output<'_>) -> Result<()>,
) -> Result<()> {
    if !across_commits {
        let db = open::to_read(file, terminal)?;
        return print(&db.begin_read(), rest, &mut terminal.out);
    }
    let Some(peek) = terminal.live.clone() else {
        return Err(Failure::Usage("--across-commits is for looks into a file in use: add --live".into()));
    };
    let mut said = false;
    loop {
        let before = rest.printed;
        let done = peek.retry(|now| {
            let db = now.now()?;
            let tx = db.begin_read();
            if rest.printed > 0 && !said {
                terminal.note(format_args!(
                    "kv: {}: another program commits: what follows {} is of newer states, transaction {} and later",
                    file.display(),
                    quoted_or_hex(&rest.last),
                    tx.id()
                ));
                said = true;
            }
            Ok(print(&tx, rest, &mut terminal.out))
        });
        match done {
            // The time to try begins again with each key.
            Err(Error::TooBusy { .. }) if rest.printed > before => {}
            done => return done.at(file)?,
        }
    }
}
