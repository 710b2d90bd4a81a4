//! Free spans as bytes, so that a device can keep them across a restart.
//!
//! ```text
//! the magic "FREESPN" and the version, 1                                         8 bytes
//! for each span in page order: the pages between the span before and this
//!     one, then its length; each number in groups of 7 bits, lowest first,
//!     with the top bit set if more groups follow                          2 to 20 bytes
//! 0 and 0: no more spans                                                         2 bytes
//! CRC-32 (IEEE) of everything before, little-endian                              4 bytes
//! ```

use alloc::vec::Vec;

use crate::error::FreelistError;
use crate::free_spans::FreeSpans;
use crate::page::PageId;
use crate::span::Span;

const MAGIC: [u8; 8] = *b"FREESPN\x01";

/// Passes the free spans of `set` to `write`, a few bytes at a time. O(spans), without heap memory.
///
/// ```
/// use freelist_core::{FreeSpans, PageId, Span, SpanMaps, load_image, save_image};
///
/// let mut free = SpanMaps::new();
/// free.release(Span::new(PageId::new(40), 1000)?)?;
/// let mut image = Vec::new();
/// save_image(&free, |bytes| image.extend_from_slice(bytes));
/// assert_eq!(image.len(), 17);
///
/// let mut again = SpanMaps::new();
/// load_image(&mut again, &image)?;
/// assert_eq!(again.free_pages(), 1000);
/// # Ok::<(), freelist_core::FreelistError>(())
/// ```
pub fn save_image(set: &(impl FreeSpans + ?Sized), write: impl FnMut(&[u8])) {
    let mut image = ImageWriter::new(write);
    set.for_each_span(&mut |span| image.add(span));
    image.finish();
}

/// Writes an image span by span, like [`save_image`], for spans from elsewhere.
///
/// To save a [`Freelist`](crate::Freelist) with its pending pages, which are free after a restart, pass
/// [`add`](Self::add) to its `for_each_span`.
///
/// ```
/// use freelist_core::{Freelist, ImageWriter, PageId, Span, SpanMaps, TxId, read_image};
///
/// let mut list = Freelist::new(SpanMaps::new());
/// list.load([Span::new(PageId::new(10), 5)?])?;
/// list.free(TxId::new(1), Span::new(PageId::new(15), 2)?)?;
/// let mut bytes = Vec::new();
/// let mut image = ImageWriter::new(|piece: &[u8]| bytes.extend_from_slice(piece));
/// list.for_each_span(&mut |span| image.add(span));
/// image.finish();
/// assert_eq!(read_image(&bytes)?, [Span::new(PageId::new(10), 7)?]);
/// # Ok::<(), freelist_core::FreelistError>(())
/// ```
#[derive(Debug)]
pub struct ImageWriter<W> {
    write: W,
    crc: Crc32,
    end: PageId,
}

impl<W: FnMut(&[u8])> ImageWriter<W> {
    /// Begins an image.
    pub fn new(write: W) -> Self {
        let mut image = Self { write, crc: Crc32::default(), end: PageId::new(0) };
        image.put(&MAGIC);
        image
    }

    /// Adds a span that lies after all others, with a page between. (A wrong span is written as if it
    /// began where the last one ends.)
    pub fn add(&mut self, span: Span) {
        self.put_number(span.start().distance_from(self.end).unwrap_or(0));
        self.put_number(span.len());
        self.end = span.end();
    }

    /// Ends the image.
    pub fn finish(mut self) {
        self.put(&[0, 0]);
        let sum = self.crc.sum();
        (self.write)(&sum.to_le_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        (self.write)(bytes);
    }

    fn put_number(&mut self, number: u64) {
        let mut rest = number;
        while rest > 0x7f {
            self.put(&[(rest & 0x7f) as u8 | 0x80]);
            rest >>= 7;
        }
        self.put(&[(rest & 0x7f) as u8]);
    }
}

/// Replaces the spans of `set` by the saved ones. Ignores bytes after the image. O(spans).
///
/// # Errors
/// [`FreelistError::BadImage`] for bytes that [`save_image`] did not write, or
/// [`FreelistError::OutOfMemory`]. `set` is empty then.
pub fn load_image(set: &mut (impl FreeSpans + ?Sized), image: &[u8]) -> Result<(), FreelistError> {
    set.clear();
    let spans = read_image(image)?;
    let loaded = set.release_all(&mut spans.into_iter());
    if loaded.is_err() {
        set.clear();
    }
    loaded
}

/// The spans of an image, in page order. O(spans).
///
/// # Errors
/// [`FreelistError::BadImage`] for bytes that [`save_image`] did not write, or [`FreelistError::OutOfMemory`].
pub fn read_image(image: &[u8]) -> Result<Vec<Span>, FreelistError> {
    let bad = |offset, what| Err(FreelistError::BadImage { offset, what });
    let mut reader = Reader { bytes: image, at: 0 };
    if reader.chunk::<8>() != Some(MAGIC) {
        return bad(0, "not a saved free list of version 1");
    }
    let mut spans = Vec::new();
    let mut end = PageId::new(0);
    loop {
        let at = reader.at;
        let (Some(gap), Some(len)) = (reader.number(), reader.number()) else {
            return bad(at, "cut short");
        };
        if gap == 0 && len == 0 {
            break;
        }
        if gap == 0 && !spans.is_empty() {
            return bad(at, "two spans that touch");
        }
        let Some(span) = end.checked_add(gap).and_then(|start| Span::new(start, len).ok()) else {
            return bad(at, "a span of 0 pages, or one beyond the last page");
        };
        spans.try_reserve(1)?;
        spans.push(span);
        end = span.end();
    }
    let mut crc = Crc32::default();
    crc.update(image.get(..reader.at).unwrap_or(image));
    if reader.chunk::<4>() != Some(crc.sum().to_le_bytes()) {
        return bad(reader.at, "the checksum does not match");
    }
    debug_assert!(
        spans.windows(2).all(|pair| pair[0].end() < pair[1].start()),
        "saved spans are maximal, in page order"
    );
    Ok(spans)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let chunk = *self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        assert!(self.at <= self.bytes.len(), "only bytes that are there are read");
        Some(chunk)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.chunk::<1>()?;
            let group = u64::from(byte & 0x7f);
            if (group << shift) >> shift != group {
                return None;
            }
            number |= group << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

/// CRC-32 with the reflected polynomial 0xedb88320, four bits at a time.
#[derive(Debug)]
struct Crc32(u32);

impl Default for Crc32 {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Crc32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut index = 0_u32;
        while index < 16 {
            let mut value = index;
            let mut bit = 0;
            while bit < 4 {
                value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[index as usize] = value;
            index += 1;
        }
        table
    };

    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u32::from(*byte);
            for _ in 0..2 {
                self.0 = self.0 >> 4 ^ Self::TABLE[(self.0 & 15) as usize];
            }
        }
    }

    fn sum(&self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::SpanMaps;

    #[test]
    fn the_checksum_is_the_usual_one() {
        let mut crc = Crc32::default();
        crc.update(b"123456789");
        assert_eq!(crc.sum(), 0xcbf4_3926);
    }

    fn image(spans: &[(u64, u64)]) -> Vec<u8> {
        let mut set = SpanMaps::new();
        for (start, len) in spans {
            set.release(Span::new(PageId::new(*start), *len).unwrap()).unwrap();
        }
        let mut image = Vec::new();
        save_image(&set, |bytes| image.extend_from_slice(bytes));
        image
    }

    #[test]
    fn what_is_saved_loads_again_up_to_the_last_page() {
        for spans in [&[][..], &[(0, 1)], &[(0, u64::MAX)], &[(5, 130), (300, 1), (u64::MAX - 3, 3)]] {
            let read = read_image(&image(spans)).unwrap();
            let read: Vec<(u64, u64)> = read.iter().map(|span| (span.start().get(), span.len())).collect();
            assert_eq!(read, spans);
        }
    }

    #[test]
    fn damaged_bytes_are_an_error_and_never_a_panic() {
        let good = image(&[(5, 130), (300, 1), (u64::MAX - 3, 3)]);
        let mut set = SpanMaps::new();
        for len in 0..good.len() {
            assert!(load_image(&mut set, &good[..len]).is_err(), "cut at {len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(load_image(&mut set, &bad).is_err(), "bit {bit}");
            // Also with a checksum that matches.
            let body = bad.len() - 4;
            let mut crc = Crc32::default();
            crc.update(&bad[..body]);
            bad[body..].copy_from_slice(&crc.sum().to_le_bytes());
            if let Ok(spans) = read_image(&bad) {
                assert!(spans.windows(2).all(|pair| pair[0].end() < pair[1].start()));
            }
        }
        assert_eq!(set.free_pages(), 0);
    }
}
