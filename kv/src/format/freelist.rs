//! The freelist page: the numbers of all free pages, ascending, one word each.
//!
//! A count of 65,535 in the header means that the first word is the real count.

use super::bytes::{put, u64_at};
use super::{Header, Kind, Malformed, PAGE_HEADER, set_header};

const LONG: u16 = 0xFFFF;
const ID: usize = 8;

/// A freelist page whose ids all lie inside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FreelistPage<'a> {
    ids: &'a [u8],
}

impl<'a> FreelistPage<'a> {
    pub(crate) fn parse(bytes: &'a [u8], header: Header) -> Result<Self, Malformed> {
        const SHORT: Malformed = Malformed("freelist has more page ids than fit into its pages");
        if header.kind != Kind::Freelist {
            return Err(Malformed("the meta's freelist page is of another kind"));
        }
        let (count, from) = if header.count == LONG {
            let count = u64_at(bytes, PAGE_HEADER).ok_or(SHORT)?;
            (usize::try_from(count).map_err(|_| SHORT)?, PAGE_HEADER.saturating_add(ID))
        } else {
            (usize::from(header.count), PAGE_HEADER)
        };
        let len = count.checked_mul(ID).ok_or(SHORT)?;
        let ids = bytes.get(from..).and_then(|rest| rest.get(..len)).ok_or(SHORT)?;
        Ok(Self { ids })
    }

    /// The ids in the order in which they stand.
    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = u64> + 'a {
        self.ids.chunks_exact(ID).map(|id| u64_at(id, 0).unwrap_or(0))
    }
}

/// How many bytes a freelist page of `count` ids takes.
pub(crate) fn freelist_len(count: u64) -> u64 {
    let words = if count >= u64::from(LONG) { count.saturating_add(1) } else { count };
    words.saturating_mul(ID as u64).saturating_add(PAGE_HEADER as u64)
}

/// The image of freelist page `id` over `pages` pages: exactly `count` ids, the rest zero.
pub(crate) fn freelist_image(image: &mut [u8], id: u64, overflow: u32, count: u64, ids: impl Iterator<Item = u64>) {
    let short = u16::try_from(count).ok().filter(|&count| count < LONG);
    set_header(image, Header { id, kind: Kind::Freelist, count: short.unwrap_or(LONG), overflow });
    let mut at = PAGE_HEADER;
    if short.is_none() {
        put(image, at, &count.to_le_bytes());
        at = at.saturating_add(ID);
    }
    let mut written = 0u64;
    for id in ids {
        let fits = put(image, at, &id.to_le_bytes());
        debug_assert!(fits, "the freelist was given enough pages");
        at = at.saturating_add(ID);
        written = written.saturating_add(1);
    }
    debug_assert_eq!(written, count, "the freelist holds as many ids as it says");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    fn round_trip(count: u64) {
        let len = usize::try_from(freelist_len(count)).unwrap();
        let mut image = vec![0; len];
        freelist_image(&mut image, 9, 0, count, (0..count).map(|n| n * 3 + 2));
        let header = Header::parse(&image).unwrap();
        assert_eq!(header.id, 9);
        let page = FreelistPage::parse(&image, header).unwrap();
        assert!(page.ids().eq((0..count).map(|n| n * 3 + 2)));
        let cut = image.get(..len - 1).unwrap_or_default();
        assert!(count == 0 || FreelistPage::parse(cut, header).is_err());
    }

    #[test]
    fn ids_survive_in_both_forms() {
        for count in [0, 1, 2, 0xFFFE, 0xFFFF, 0x10000, 70_000] {
            round_trip(count);
        }
    }

    #[test]
    fn a_count_that_lies_is_refused() {
        let mut image = vec![0; 64];
        freelist_image(&mut image, 2, 0, 2, [3, 4].into_iter());
        super::super::set_count(&mut image, LONG);
        for lie in [7, u64::MAX, u64::MAX / 8] {
            put(&mut image, PAGE_HEADER, &lie.to_le_bytes());
            assert!(FreelistPage::parse(&image, Header::parse(&image).unwrap()).is_err(), "{lie}");
        }
    }
}
