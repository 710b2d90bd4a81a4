//! Which items of a bucket, and in which order.

use std::ops::Bound;

use clap::Args;
use kv::{KeyRange, prefix};

use crate::failure::Result;
use crate::files::walk::{Range, Rest};
use crate::notation::{BadNotation, Parse};

/// A range of keys.
#[derive(Clone, Debug, Args)]
pub(crate) struct Bounds {
    /// Only keys that begin with this
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    prefix: Option<String>,

    /// Begin at this key, or after it if it is not there
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    from: Option<String>,

    /// End before this key
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    to: Option<String>,

    /// At most so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,

    /// In descending order, the greatest key first
    #[arg(long)]
    reverse: bool,

    /// How the keys of --prefix, --from and --to are written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    parse_format: Parse,

    /// With --live: where the other program commits, go on after the last key, in the newer state, instead of beginning
    /// again. Each line is true of the moment when it was read, all of them together of none; a line on standard error says
    /// from where on. For more than can be read between two commits
    #[arg(long)]
    pub(crate) across_commits: bool,
}

impl Bounds {
    /// A walk over the keys within all bounds that were given.
    pub(crate) fn keys(&self) -> Result<Rest> {
        Ok(self.walk(self.within(|text| self.parse_format.bytes(text))?))
    }

    /// A walk over the rows of revisions within the bounds, which are numbers.
    pub(crate) fn revisions(&self) -> Result<Rest> {
        let row = |text: &str| match text.parse::<u64>() {
            // Rows begin with their revision, the most significant byte first.
            Ok(revision) => Ok(revision.to_le_bytes().into_iter().rev().collect()),
            Err(_) => Err(BadNotation::new(format!("{text:?} is not a revision: with --etcd, bounds are numbers"))),
        };
        Ok(self.walk(self.within(row)?))
    }

    fn walk(&self, range: Range) -> Rest {
        Rest::new(range, self.limit.unwrap_or(usize::MAX), self.reverse)
    }

    fn within(&self, bytes: impl Fn(&str) -> Result<Vec<u8>, BadNotation>) -> Result<Range, BadNotation> {
        let given = |text: &Option<String>| text.as_deref().map(&bytes).transpose();
        let prefix = prefix(given(&self.prefix)?.unwrap_or_default());
        let (from, to) = (given(&self.from)?, given(&self.to)?);
        let (Bound::Included(first) | Bound::Excluded(first)) = prefix.start() else { return Ok(whole(from, to)) };
        let start = from.map_or_else(|| first.to_vec(), |from| from.max(first.to_vec()));
        let end = match (prefix.end(), to) {
            (Bound::Included(last) | Bound::Excluded(last), Some(to)) => Some(to.min(last.to_vec())),
            (Bound::Included(last) | Bound::Excluded(last), None) => Some(last.to_vec()),
            (Bound::Unbounded, to) => to,
        };
        Ok(whole(Some(start), end))
    }
}

fn whole(start: Option<Vec<u8>>, end: Option<Vec<u8>>) -> Range {
    (start.map_or(Bound::Unbounded, Bound::Included), end.map_or(Bound::Unbounded, Bound::Excluded))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of bounds, against a look at each key.
    #[test]
    fn a_key_is_within_all_bounds_or_not_listed() {
        let words = ["", "a", "aa", "ab", "b", "ba", "hex:ff", "hex:ff00", "hex:ffff"];
        let given = || words.iter().map(|word| Some((*word).to_owned())).chain([None]);
        let bytes = |text: &str| Parse::Auto.bytes(text).unwrap();
        for prefix in given() {
            for (from, to) in given().flat_map(|from| given().map(move |to| (from.clone(), to))) {
                let bounds = Bounds {
                    prefix: prefix.clone(),
                    from,
                    to,
                    limit: None,
                    reverse: false,
                    parse_format: Parse::Auto,
                    across_commits: false,
                };
                let range = bounds.keys().unwrap().range();
                for key in words.map(bytes) {
                    let listed = std::ops::RangeBounds::contains(&range, &key);
                    let starts = bounds.prefix.as_deref().is_none_or(|prefix| key.starts_with(&bytes(prefix)));
                    let after = bounds.from.as_deref().is_none_or(|from| key >= bytes(from));
                    let before = bounds.to.as_deref().is_none_or(|to| key < bytes(to));
                    assert_eq!(listed, starts && after && before, "{key:?} {bounds:?}");
                }
            }
        }
    }

    #[test]
    fn revisions_are_bounds_of_rows() {
        let bounds = |from: &str| Bounds {
            prefix: None,
            from: Some(from.to_owned()),
            to: None,
            limit: None,
            reverse: false,
            parse_format: Parse::Auto,
            across_commits: false,
        };
        let start = bounds("258").revisions().unwrap().range().0;
        assert_eq!(start, Bound::Included(vec![0, 0, 0, 0, 0, 0, 1, 2]));
        assert!(bounds("x").revisions().is_err());
    }
}
