//! Which parts of a file a map has copied into private memory.
//!
//! A map of a file shows what the file holds at every moment, and a read of bytes that another program has cut off ends
//! the process. A copy takes bytes once, with an ordinary read, which fails with an error then.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::StoreError;
use crate::live::{Confirm, confirmed};
use crate::lock::LockedFile;
use crate::position;

/// Bytes that are copied together. Pages of most databases have this size.
const BLOCK: usize = 4096;

/// Most blocks of one read: it bounds the buffer.
const RUN_MAX: usize = 256;

const BITS: usize = 64;

/// The file of a map, and the blocks of it that the map has. A block that it has stays until it is truncated: the store
/// writes into the map what it writes into the file.
pub(crate) struct Copied {
    file: Arc<LockedFile>,
    path: PathBuf,
    /// A bit for each block. It is set when the block's bytes are in the map, and taken back when the file ends before it.
    blocks: Box<[AtomicU64]>,
    /// Held while a block is copied and while the file is written: a copy is of the time before a write or after it.
    /// What it guards is a buffer for the copies.
    copying: Mutex<Vec<u8>>,
    /// Asked after each read of a file that somebody else may write to.
    confirm: Option<Confirm>,
}

impl Copied {
    /// Nothing yet, of a file that may grow to `room` bytes.
    pub(crate) fn nothing(file: &Arc<LockedFile>, path: &Path, room: usize) -> Copied {
        let words = room.div_ceil(BLOCK).div_ceil(BITS);
        let blocks = std::iter::repeat_with(AtomicU64::default).take(words).collect();
        assert!(words * BITS * BLOCK >= room, "every block of the room has its bit");
        Copied {
            file: Arc::clone(file),
            path: path.to_path_buf(),
            blocks,
            copying: Mutex::new(Vec::new()),
            confirm: None,
        }
    }

    /// The same, but only what `confirm` confirms after it was read.
    pub(crate) fn confirmed_by(self, confirm: &Confirm) -> Copied {
        assert!(self.confirm.is_none(), "one confirms what is copied");
        Copied { confirm: Some(Arc::clone(confirm)), ..self }
    }

    /// Whether all blocks of a range are in the map. O(blocks).
    #[inline]
    pub(crate) fn has(&self, range: &Range<usize>) -> bool {
        blocks(range).all(|block| self.has_block(block))
    }

    #[inline]
    fn has_block(&self, block: usize) -> bool {
        // A reader that sees the bit sees the bytes that were copied before.
        self.blocks.get(block / BITS).is_some_and(|word| word.load(Ordering::Acquire) & bit(block) != 0)
    }

    /// Keeps everybody else from copying and from writing.
    pub(crate) fn alone(&self) -> MutexGuard<'_, Vec<u8>> {
        self.copying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the blocks of `range` that the map lacks, of a file of `len` bytes, and has `show` put them into the map.
    /// The caller is [`alone`](Copied::alone), and `buffer` is what that guards.
    pub(crate) fn copy(
        &self,
        range: &Range<usize>,
        len: usize,
        buffer: &mut Vec<u8>,
        mut show: impl FnMut(usize, &[u8]),
    ) -> Result<(), StoreError> {
        assert!(range.end <= len, "what is copied lies inside the file");
        let mut left = blocks(range);
        while let Some(first) = left.find(|block| !self.has_block(*block)) {
            let run = (first..left.end).take(RUN_MAX).take_while(|block| !self.has_block(*block)).count();
            let bytes = first * BLOCK..((first + run) * BLOCK).min(len);
            assert!(!bytes.is_empty(), "a block that is looked at has bytes");
            buffer.resize(bytes.len(), 0);
            let mut read = || position::read(&self.file, &self.path, bytes.start as u64, buffer);
            match &self.confirm {
                None => read()?,
                Some(confirm) => confirmed(read, confirm)?,
            }
            debug_assert_eq!(buffer.len(), bytes.len(), "whole blocks are shown, but for the end of the file");
            show(bytes.start, buffer);
            assert!(self.copying.try_lock().is_err(), "blocks are copied one caller at a time");
            for block in first..first + run {
                self.blocks[block / BITS].fetch_or(bit(block), Ordering::Release);
            }
            left.start = first + run;
        }
        Ok(())
    }

    /// Forgets what the map has of `range`, up to which the map showed bytes and which goes with the end of the file. The
    /// part of it in a block that stays goes to `clear`. The caller is [`alone`](Copied::alone).
    pub(crate) fn forget(&self, range: Range<usize>, clear: impl FnOnce(Range<usize>)) {
        assert!(self.copying.try_lock().is_err(), "no block is copied while others are forgotten");
        let kept = range.start.next_multiple_of(BLOCK).min(range.end);
        if range.start < kept && self.has(&(range.start..kept)) {
            clear(range.start..kept);
        }
        for block in range.start.div_ceil(BLOCK)..range.end.div_ceil(BLOCK) {
            self.blocks[block / BITS].fetch_and(!bit(block), Ordering::Release);
        }
    }

    /// The parts of a range that lie in one block each, and are in the map.
    pub(crate) fn parts(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let whole = blocks(&range).filter(|block| self.has_block(*block));
        whole.map(move |block| range.start.max(block * BLOCK)..range.end.min((block + 1) * BLOCK))
    }
}

impl fmt::Debug for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copied")
            .field("path", &self.path)
            .field("live", &self.confirm.is_some())
            .finish_non_exhaustive()
    }
}

/// The blocks that have bytes of the range.
#[inline]
fn blocks(range: &Range<usize>) -> Range<usize> {
    if range.is_empty() { 0..0 } else { range.start / BLOCK..range.end.div_ceil(BLOCK) }
}

#[inline]
fn bit(block: usize) -> u64 {
    1 << (block % BITS)
}

#[cfg(test)]
mod tests {
    use kv_testkit::Random;

    use super::*;

    /// More than are read at once, and a part of one.
    const LEN: usize = 2 * RUN_MAX * BLOCK + 100;

    /// Of a file that exists.
    fn nothing_of(dir: &Path, bytes: &[u8]) -> Copied {
        let path = dir.join("pages");
        std::fs::write(&path, bytes).unwrap();
        let file = LockedFile::lent(std::fs::File::open(&path).unwrap());
        Copied::nothing(&Arc::new(file), &path, LEN)
    }

    fn range(random: &mut Random, longest: usize) -> Range<usize> {
        let start = random.below(LEN);
        start..LEN.min(start + random.below(longest))
    }

    #[test]
    fn each_block_is_copied_once_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let mut random = Random::new(1);
        let bytes = random.bytes(LEN);
        for longest in [3 * BLOCK, LEN] {
            let copied = nothing_of(dir.path(), &bytes);
            let (mut map, mut has) = (vec![0; LEN], vec![false; LEN.div_ceil(BLOCK)]);
            for step in 0..60 {
                let wanted = range(&mut random, longest);
                let mut buffer = copied.alone();
                if random.one_in(20) {
                    let mut cleared = 0..0;
                    copied.forget(wanted.start..LEN, |part| cleared = part);
                    let kept = wanted.start.next_multiple_of(BLOCK).min(LEN);
                    let known = wanted.start < kept && has[wanted.start / BLOCK];
                    assert_eq!(cleared, if known { wanted.start..kept } else { 0..0 }, "step {step}");
                    has[wanted.start.div_ceil(BLOCK)..].fill(false);
                    map[kept..].fill(0);
                } else {
                    copied
                        .copy(&wanted, LEN, &mut buffer, |at, part| {
                            for block in blocks(&(at..at + part.len())) {
                                assert!(!std::mem::replace(&mut has[block], true), "step {step}: block {block} twice");
                            }
                            map[at..at + part.len()].copy_from_slice(part);
                        })
                        .unwrap();
                    assert!(bytes[wanted.clone()] == map[wanted.clone()], "step {step}: {wanted:?}");
                }
                for (block, has) in has.iter().enumerate() {
                    assert_eq!(copied.has(&(block * BLOCK..block * BLOCK + 1)), *has, "step {step}: block {block}");
                }
                assert_eq!(copied.has(&wanted), blocks(&wanted).all(|block| has[block]), "step {step}");
                let parts: Vec<usize> = copied.parts(wanted.clone()).flatten().collect();
                let expected = wanted.clone().filter(|at| has[at / BLOCK]);
                assert!(parts.iter().copied().eq(expected), "step {step}: {wanted:?}");
            }
        }
    }
}
