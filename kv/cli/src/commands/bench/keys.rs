//! The keys to write, the same in every run.

use std::num::Wrapping;

use super::workload::{Workload, WriteMode};

/// Where a key is: its nested bucket, if any, and the key.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) bucket: Option<Vec<u8>>,
    pub(super) key: Vec<u8>,
}

/// Numbers, in order or random, as keys of the wanted length.
#[derive(Debug)]
pub(super) struct Keys {
    random: Option<Random>,
    next: u32,
    len: usize,
}

impl Keys {
    pub(super) fn new(workload: &Workload) -> Self {
        let random = matches!(workload.write_mode, WriteMode::Rnd | WriteMode::RndNest).then(Random::new);
        Self { random, next: 0, len: workload.key_size.into() }
    }

    pub(super) fn next(&mut self) -> Vec<u8> {
        self.next = match &mut self.random {
            Some(random) => u32::try_from(random.next() >> 32).unwrap_or(0),
            None => self.next.wrapping_add(1),
        };
        let mut key = vec![0; self.len];
        #[allow(clippy::big_endian_bytes, reason = "keys compare byte by byte: big-endian keys sort as their numbers")]
        key[..4].copy_from_slice(&self.next.to_be_bytes());
        key
    }
}

/// `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug)]
pub(super) struct Random(Wrapping<u64>);

impl Random {
    pub(super) const fn new() -> Self {
        Self(Wrapping(0))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 += 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0;
        z = (z ^ (z >> 30)) * Wrapping(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)) * Wrapping(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)).0
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let other = self.next() % (end as u64 + 1);
            items.swap(end, usize::try_from(other).unwrap_or(0));
        }
    }
}
