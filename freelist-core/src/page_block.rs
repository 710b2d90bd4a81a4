//! The forward and the backward map for 512 pages.

use crate::bits::{from, highest, lowest, mask, up_to};

/// Which end of a free span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Edge {
    /// At its first page: an entry of the forward map.
    Start,
    /// At the page after its last: an entry of the backward map.
    End,
}

impl Edge {
    const fn opposite(self) -> Self {
        match self {
            Self::Start => Self::End,
            Self::End => Self::Start,
        }
    }
}

/// Spans of up to this many pages are counted in the block in which they begin, and found there by
/// their edges alone.
pub(crate) const SHORT: usize = 16;

pub(crate) const WORDS: usize = 8;

/// The entries of both maps for 512 pages, a bit each.
///
/// Both maps' bits for a page share a cache line, since every release asks both about neighbouring
/// pages.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct PageBlock {
    /// The page numbers divided by 512.
    number: u64,
    /// How many edges the block has.
    edges: u16,
    /// How many spans of 1, 2 .. 16 pages begin here.
    counts: [u16; SHORT],
    words: [EdgeWord; WORDS],
}

/// The edges of both maps at 64 pages, a bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EdgeWord {
    pub(crate) forward: u64,
    pub(crate) backward: u64,
}

impl EdgeWord {
    pub(crate) const fn both(self) -> u64 {
        self.forward | self.backward
    }

    const fn edge(self, bit: usize) -> Edge {
        if self.forward & mask(bit) != 0 { Edge::Start } else { Edge::End }
    }

    const fn bits(&mut self, edge: Edge) -> &mut u64 {
        match edge {
            Edge::Start => &mut self.forward,
            Edge::End => &mut self.backward,
        }
    }
}

impl PageBlock {
    /// A block without edges.
    pub(crate) fn empty(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    /// This block, which is empty, with these edges. The spans are not counted.
    pub(crate) fn with_edges(self, words: [EdgeWord; WORDS]) -> Self {
        debug_assert!(self.is_empty(), "an empty block has no edges");
        debug_assert!(words.iter().all(|word| word.forward & word.backward == 0), "no page has two edges");
        let edges = words.iter().map(|word| ones(word.both())).sum();
        Self { edges, words, ..self }
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The starts in word `index`: those of spans of one page that end in this block, and the others.
    pub(crate) fn starts(&self, index: usize) -> (u64, u64) {
        let after = self.words.get(index + 1).map_or(0, |word| word.backward << 63);
        let EdgeWord { forward, backward } = self.words[index];
        let singles = forward & (backward >> 1 | after);
        (singles, forward & !singles)
    }

    /// Marks an edge. A start and an end at the same page cancel out: the two spans touch there, and are one.
    #[inline]
    pub(crate) fn mark(&mut self, bit: usize, edge: Edge) {
        debug_assert!(!self.has(bit, edge), "no two spans begin at the same page, or end there");
        let merges = self.has(bit, edge.opposite());
        let word = &mut self.words[bit / 64];
        if merges {
            *word.bits(edge.opposite()) &= !mask(bit);
            self.edges -= 1;
        } else {
            *word.bits(edge) |= mask(bit);
            self.edges += 1;
        }
        debug_assert_eq!(word.forward & word.backward, 0, "no page has two edges");
        debug_assert_eq!(u32::from(self.edges), self.count_edges(), "the count of edges agrees with the bits");
    }

    fn count_edges(&self) -> u32 {
        self.words.iter().map(|word| word.both().count_ones()).sum()
    }

    pub(crate) const fn has(&self, bit: usize, edge: Edge) -> bool {
        let word = self.words[bit / 64];
        let bits = match edge {
            Edge::Start => word.forward,
            Edge::End => word.backward,
        };
        bits & mask(bit) != 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        debug_assert!(self.edges > 0 || self.counts == [0; SHORT], "a span that begins here has an edge here");
        self.edges == 0
    }

    /// `spans` more spans of this length begin here. Only short ones are counted.
    pub(crate) fn add(&mut self, len: u64, spans: u16) {
        if let Some(count) = self.counts.get_mut(index_of(len)) {
            *count += spans;
            debug_assert!(u64::from(*count) * (len + 1) <= 512 + len + 1, "so many spans fit, with a page between");
        }
    }

    /// One span less of this length begins here. Returns how many are left.
    pub(crate) fn sub_one(&mut self, len: u64) -> u16 {
        let Some(count) = self.counts.get_mut(index_of(len)) else { return 0 };
        assert!(*count > 0, "a short span that is deleted was counted when it was added");
        *count -= 1;
        *count
    }

    /// How many spans of this length begin here; 0 for a long one.
    pub(crate) fn count(&self, len: u64) -> u16 {
        self.counts.get(index_of(len)).copied().unwrap_or(0)
    }

    /// The first edge from `bit` on.
    pub(crate) fn next(&self, bit: usize) -> Option<(usize, Edge)> {
        debug_assert!(bit <= 512, "a place in the block, or its end");
        let mut wanted = from(bit);
        for index in bit / 64..WORDS {
            let word = self.words[index];
            let found = word.both() & wanted;
            if found != 0 {
                return Some((index * 64 + lowest(found), word.edge(lowest(found))));
            }
            wanted = u64::MAX;
        }
        None
    }

    /// The last edge up to and with `bit`.
    pub(crate) fn prev(&self, bit: usize) -> Option<(usize, Edge)> {
        debug_assert!(bit < 512, "a place in the block");
        let mut wanted = up_to(bit);
        for index in (0..=bit / 64).rev() {
            let word = self.words[index];
            let found = word.both() & wanted;
            if found != 0 {
                return Some((index * 64 + highest(found), word.edge(highest(found))));
            }
            wanted = u64::MAX;
        }
        None
    }

    /// Where the free span begins and ends that the pages from `start` up to, but without, `end` become
    /// part of when they are freed. `None` if one of them is free already, or if this block alone
    /// cannot tell.
    #[inline]
    pub(crate) fn merged(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        let left = match (self.has(start, Edge::Start), self.has(start, Edge::End)) {
            (true, _) => return None,
            (_, true) => self.prev(start.checked_sub(1)?)?.0,
            _ => start,
        };
        let right = match self.next(start + 1)? {
            (_, Edge::End) => return None,
            (begin, _) if begin < end => return None,
            (begin, _) if begin == end => self.next(end + 1)?.0,
            _ => end,
        };
        debug_assert!(left <= start && start < end && end <= right, "a merged span covers what is freed");
        Some((left, right))
    }

    /// The first start, from `bit` on, of a span of this length, which is short, that also ends here.
    pub(crate) fn next_of_len(&self, len: u64, bit: usize) -> Option<usize> {
        debug_assert!(index_of(len) < SHORT, "only short spans are found by their edges");
        let mut wanted = from(bit);
        for index in bit / 64..WORDS {
            let here = self.words[index];
            let after = self.words.get(index + 1).map_or(0, |word| word.backward);
            let ends = (u128::from(after) << 64) | u128::from(here.backward);
            #[allow(clippy::cast_possible_truncation, reason = "the starts are in the low half")]
            let fitting = (first_end_after(ends, len)) as u64 & here.forward & wanted;
            if fitting != 0 {
                return Some(index * 64 + lowest(fitting));
            }
            wanted = u64::MAX;
        }
        None
    }
}

/// The bits for which the next of `ends` is exactly `len` further on.
const fn first_end_after(ends: u128, len: u64) -> u128 {
    let mut nearer = 0;
    if len > 1 {
        // An end 1 to `covered` further on; doubled until it is 1 to `len - 1`.
        nearer = ends >> 1;
        let mut covered = 1;
        while covered * 2 < len {
            nearer |= nearer >> covered;
            covered *= 2;
        }
        nearer |= nearer >> (len - 1 - covered);
    }
    (ends >> len) & !nearer
}

/// How many bits are set.
#[allow(clippy::cast_possible_truncation, reason = "a word has 64 bits")]
pub(crate) const fn ones(word: u64) -> u16 {
    word.count_ones() as u16
}

/// The index of a length among the short ones; [`SHORT`] or more for a long one.
pub(crate) fn index_of(len: u64) -> usize {
    debug_assert!(len > 0, "a span has at least one page");
    usize::try_from(len - 1).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_found_by_the_edges_alone() {
        for len in 1..=SHORT as u64 {
            for ends in [0, 1, 0x8001, 0xf0f0_1234_5678_9abc_8421, u128::MAX, 1 << 127] {
                let fitting = first_end_after(ends, len);
                for bit in 0..64 {
                    let first = (1..=128 - 1 - bit).find(|ahead| ends >> (bit + ahead) & 1 == 1);
                    assert_eq!(fitting >> bit & 1 == 1, first == Some(len), "{ends:x} {bit} {len}");
                }
            }
        }
    }

    #[test]
    fn next_of_len_sees_every_word_and_the_words_between() {
        let mut block = PageBlock::default();
        let spans: [(usize, u64); 6] = [(0, 3), (5, 1), (60, 8), (120, 16), (300, 3), (509, 3)];
        for (start, len) in spans {
            block.mark(start, Edge::Start);
            let end = start + usize::try_from(len).unwrap();
            if end < 512 {
                block.mark(end, Edge::End);
            }
        }
        for bit in 0..512 {
            for len in 1..=SHORT as u64 {
                // The last one ends in the next block.
                let expected = spans[..5].iter().find(|(start, other)| *start >= bit && *other == len);
                assert_eq!(block.next_of_len(len, bit), expected.map(|(start, _)| *start), "{len} from {bit}");
            }
        }
    }
}
