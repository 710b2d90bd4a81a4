//! Atomic words in memory that the system gives as they are used.

use std::io;
use std::sync::atomic::AtomicU64;

use crate::map::Map;

/// Bytes that come in small pages: who uses a few words of many takes little memory.
const SMALL: usize = 2 << 20;

/// Up to so many words come from the allocator: a mapping of their own would cost more than clearing them.
const FEW: usize = (128 << 10) / size_of::<AtomicU64>();

/// Atomic words, all 0 at first, for threads to share: memory for what a layer above keeps beside its pages.
///
/// The system gives the memory when a word of it is first written; up to 128 KiB come from the allocator. On Linux what lies
/// behind the first 2 MiB comes in huge pages, if there are any: words that are read in random order are found with fewer
/// steps then. O(1) to make, whatever the number.
///
/// ```
/// use pagefile_std::Words;
/// use std::sync::atomic::Ordering;
///
/// let words = Words::new(1 << 20)?;
/// words.as_slice()[5].store(7, Ordering::Relaxed);
/// assert_eq!(words.as_slice()[5].load(Ordering::Relaxed), 7);
/// assert_eq!(words.as_slice()[6].load(Ordering::Relaxed), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Words(Memory);

#[derive(Debug)]
enum Memory {
    Allocated(Box<[AtomicU64]>),
    Mapped(Map),
}

impl Words {
    /// Makes `count` words.
    ///
    /// # Errors
    /// If the system has no memory or address space for them.
    pub fn new(count: usize) -> io::Result<Self> {
        if count <= FEW {
            let mut words = Vec::new();
            words.try_reserve_exact(count)?;
            words.resize_with(count, AtomicU64::default);
            return Ok(Self(Memory::Allocated(words.into_boxed_slice())));
        }
        let bytes = (count as u64).checked_mul(size_of::<AtomicU64>() as u64);
        let map = Map::in_memory(bytes.ok_or(io::ErrorKind::OutOfMemory)?, 0)?;
        map.prefer_huge_pages(SMALL);
        let words = Self(Memory::Mapped(map));
        debug_assert_eq!(words.as_slice().len(), count, "every word lies in the memory");
        Ok(words)
    }

    /// The words. O(1).
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[AtomicU64] {
        match &self.0 {
            Memory::Allocated(words) => words,
            Memory::Mapped(map) => map.words(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn words_are_zeros_and_keep_what_is_stored() {
        for count in [0, 1, 511, FEW, FEW + 1, 100_000] {
            let words = Words::new(count).unwrap();
            let words = words.as_slice();
            assert_eq!(words.len(), count);
            assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0));
            words.iter().zip(1..).for_each(|(word, n)| word.store(n, Ordering::Relaxed));
            assert!(words.iter().zip(1..).all(|(word, n)| word.load(Ordering::Relaxed) == n));
        }
    }

    #[test]
    fn too_many_are_an_error() {
        assert!(Words::new(usize::MAX).is_err());
        assert!(Words::new(usize::MAX / 8).is_err());
    }
}
