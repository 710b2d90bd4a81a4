//! Spans of pages that are given as bits.

use crate::page::PageId;
use crate::span::Span;

/// The maximal spans of ones in a row of words, in page order: bit `b` of word `n`, counted from 0, stands for page
/// `64 n + b`. O(words + spans).
///
/// ```
/// use freelist_core::BitSpans;
///
/// let spans: Vec<(u64, u64)> = BitSpans::new([0b0110 | 1 << 63, 1, 0, 8]).map(|s| (s.start().get(), s.len())).collect();
/// assert_eq!(spans, [(1, 2), (63, 2), (195, 1)]);
/// ```
#[derive(Clone, Debug)]
pub struct BitSpans<I> {
    words: I,
    /// What is left of the current word, and its first page.
    word: u64,
    base: PageId,
    /// Where the next word begins.
    next: PageId,
}

impl<I: Iterator<Item = u64>> BitSpans<I> {
    /// The spans of `words`.
    #[must_use]
    pub fn new(words: impl IntoIterator<IntoIter = I>) -> Self {
        Self { words: words.into_iter(), word: 0, base: PageId::new(0), next: PageId::new(0) }
    }

    /// Goes on to the next word; `None` after the last. No file has so many pages that their numbers end before.
    fn turn(&mut self) -> Option<()> {
        self.word = self.words.next()?;
        self.base = self.next;
        self.next = self.base.checked_add(64)?;
        Some(())
    }
}

impl<I: Iterator<Item = u64>> Iterator for BitSpans<I> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        while self.word == 0 {
            self.turn()?;
        }
        let start = self.base.checked_add(self.word.trailing_zeros().into())?;
        // The zeros below the span count as ones of it.
        while (self.word | (self.word - 1)) == u64::MAX {
            self.word = 0;
            if self.turn().is_none() {
                return Span::between(start, self.next);
            }
            if self.word & 1 == 0 {
                return Span::between(start, self.base);
            }
        }
        let filled = self.word | (self.word - 1);
        let end = self.base.checked_add(filled.trailing_ones().into())?;
        self.word &= filled + 1;
        debug_assert!(end > start && end < self.next, "the span ends in this word");
        Span::between(start, end)
    }
}
