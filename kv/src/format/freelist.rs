//! The freelist page: the numbers of all free pages, ascending, one word each.
//!
//! A count of 65,535 in the header means that the first word is the real count.

use super::bytes::u64_at;
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

    /// The ids, in the order of the page.
    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = u64> + use<'a> {
        self.ids.chunks_exact(ID).map(|id| u64_at(id, 0).unwrap_or(0))
    }
}

/// How many bytes a freelist page of `count` ids takes.
pub(crate) fn freelist_len(count: u64) -> u64 {
    let words = if count >= u64::from(LONG) { count.saturating_add(1) } else { count };
    words.saturating_mul(ID as u64).saturating_add(PAGE_HEADER as u64)
}

/// Writes a freelist page's ids one after the other, as a walk over them shows them.
#[derive(Debug)]
pub(crate) struct FreelistWriter<'a> {
    words: std::slice::ChunksExactMut<'a, u8>,
    /// Ids still to come.
    left: u64,
}

impl<'a> FreelistWriter<'a> {
    /// Page `id` with exactly `count` ids and `overflow` more pages. The bytes after the ids keep their content.
    pub(crate) fn new(image: &'a mut [u8], id: u64, overflow: u32, count: u64) -> Self {
        let short = u16::try_from(count).ok().filter(|&count| count < LONG);
        set_header(image, Header { id, kind: Kind::Freelist, count: short.unwrap_or(LONG), overflow });
        let words = image.get_mut(PAGE_HEADER..).unwrap_or_default().chunks_exact_mut(ID);
        let mut writer = Self { words, left: count };
        if short.is_none() {
            writer.word(count);
        }
        writer
    }

    pub(crate) fn add(&mut self, id: u64) {
        self.word(id);
        self.left = self.left.saturating_sub(1);
    }

    pub(crate) fn finish(self) {
        debug_assert_eq!(self.left, 0, "the freelist holds as many ids as it says");
    }

    fn word(&mut self, word: u64) {
        let room = self.words.next();
        debug_assert!(room.is_some(), "the freelist was given enough pages");
        if let Some(room) = room {
            room.copy_from_slice(&word.to_le_bytes());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    fn write(image: &mut [u8], page: u64, ids: impl Iterator<Item = u64> + Clone) {
        let mut writer = FreelistWriter::new(image, page, 0, ids.clone().count() as u64);
        ids.for_each(|id| writer.add(id));
        writer.finish();
    }

    fn round_trip(count: u64) {
        let len = usize::try_from(freelist_len(count)).unwrap();
        let mut image = vec![0; len];
        write(&mut image, 9, (0..count).map(|n| n * 3 + 2));
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
        write(&mut image, 2, [3, 4].into_iter());
        super::super::set_count(&mut image, LONG);
        for lie in [7, u64::MAX, u64::MAX / 8] {
            super::super::bytes::put(&mut image, PAGE_HEADER, &lie.to_le_bytes());
            assert!(FreelistPage::parse(&image, Header::parse(&image).unwrap()).is_err(), "{lie}");
        }
    }
}
