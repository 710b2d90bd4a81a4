//! What reading must find.

use crate::{Shape, kept, range};

/// The usual pairs `0..n` in the order of their keys.
#[derive(Debug)]
pub struct Oracle {
    /// Numbers of pairs in key order.
    order: Vec<u64>,
    /// For each place in that order, the sum of the digests before it.
    sums: Vec<u64>,
    /// For each pair, its place.
    places: Vec<usize>,
}

impl Oracle {
    /// O(n log n).
    #[must_use]
    pub fn new(pairs: u64) -> Self {
        let mut order: Vec<u64> = (0..pairs).collect();
        order.sort_by_cached_key(|&number| Shape::USUAL.key(number));
        let mut places = vec![0; order.len()];
        let mut sums = vec![0u64];
        for (place, &number) in order.iter().enumerate() {
            places[usize::try_from(number).unwrap_or(usize::MAX)] = place;
            sums.push(sums[place].wrapping_add(Shape::USUAL.digest(number)));
        }
        Self { order, sums, places }
    }

    /// How many pairs there are.
    #[must_use]
    pub fn pairs(&self) -> u64 {
        self.order.len() as u64
    }

    /// The numbers of the pairs in key order.
    #[must_use]
    pub fn order(&self) -> &[u64] {
        &self.order
    }

    /// The sum of the digests of `len` items from pair `number` on.
    #[must_use]
    pub fn scan(&self, number: u64, len: usize) -> u64 {
        let place = self.places[usize::try_from(number).unwrap_or(usize::MAX)];
        let end = self.order.len().min(place.saturating_add(len));
        self.sums[end].wrapping_sub(self.sums[place])
    }

    /// How many pairs `delete_range` leaves, and the sum of their digests.
    #[must_use]
    pub fn outside_range(&self) -> (u64, u64) {
        self.left(|key| !range().contains(&key))
    }

    /// How many pairs `retain` leaves, and the sum of their digests.
    #[must_use]
    pub fn kept(&self) -> (u64, u64) {
        self.left(kept)
    }

    fn left(&self, stays: impl Fn(&[u8]) -> bool) -> (u64, u64) {
        let left = self.order.iter().filter(|&&number| stays(&Shape::USUAL.key(number)));
        left.fold((0, 0), |(count, sum), &number| (count + 1, sum.wrapping_add(Shape::USUAL.digest(number))))
    }
}
