//! Which of many ranges a key is in.

use super::Wish;

/// Wishes in the order of where their ranges begin, as a balanced tree that lies in an array: the root of a part of the
/// array is its middle. Each root knows how far the ranges of its part reach.
#[derive(Debug, Default)]
pub(super) struct Ranges<T> {
    wishes: Vec<(Wish, T)>,
    /// For each root the range of its part that ends last.
    farthest: Vec<usize>,
}

impl<T> Ranges<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.wishes.is_empty()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.wishes.iter().map(|(_, value)| value)
    }

    fn position(&self, wish: &Wish) -> Result<usize, usize> {
        self.wishes.binary_search_by(|(other, _)| other.cmp(wish))
    }

    pub(super) fn get_mut(&mut self, wish: &Wish) -> Option<&mut T> {
        let at = self.position(wish).ok()?;
        Some(&mut self.wishes[at].1)
    }

    /// The value of a wish, made if there is none.
    pub(super) fn get_or_insert_with(&mut self, wish: &Wish, new: impl FnOnce() -> T) -> &mut T {
        let at = self.position(wish).unwrap_or_else(|at| {
            self.wishes.insert(at, (wish.clone(), new()));
            debug_assert!(self.wishes.is_sorted_by(|(a, _), (b, _)| a < b), "wishes are in order");
            // Found again when somebody asks: many wishes come one after the other.
            self.farthest.clear();
            at
        });
        &mut self.wishes[at].1
    }

    pub(super) fn remove(&mut self, wish: &Wish) {
        if let Ok(at) = self.position(wish) {
            let removed = self.wishes.remove(at);
            debug_assert!(removed.0 == *wish, "wishes are in order");
            self.farthest.clear();
        }
    }

    /// Calls `hit` with each wish whose range has the key. O(log n) and the number of hits.
    pub(super) fn with(&mut self, key: &[u8], mut hit: impl FnMut(usize)) {
        if self.farthest.len() != self.wishes.len() {
            self.farthest = vec![0; self.wishes.len()];
            self.find_farthest(0, self.wishes.len());
        }
        debug_assert_eq!(self.farthest.len(), self.wishes.len(), "each root knows how far its part reaches");
        self.search(key, 0, self.wishes.len(), &mut hit);
    }

    pub(super) fn at(&self, at: usize) -> (&Wish, &T) {
        let (wish, value) = &self.wishes[at];
        (wish, value)
    }

    fn find_farthest(&mut self, start: usize, end: usize) -> Option<usize> {
        if start == end {
            return None;
        }
        let root = start.midpoint(end);
        debug_assert!((start..end).contains(&root), "a part has its root");
        let sides = [self.find_farthest(start, root), self.find_farthest(root + 1, end)];
        let farther = |a: usize, b: usize| match (&self.wishes[a].0.interval.end, &self.wishes[b].0.interval.end) {
            (Some(x), Some(y)) if x >= y => a,
            (Some(_), _) => b,
            (None, _) => a,
        };
        let farthest = sides.into_iter().flatten().fold(root, farther);
        self.farthest[root] = farthest;
        Some(farthest)
    }

    fn search(&self, key: &[u8], start: usize, end: usize, hit: &mut impl FnMut(usize)) {
        if start == end {
            return;
        }
        let root = start.midpoint(end);
        if !self.wishes[self.farthest[root]].0.interval.is_before_end(key) {
            return;
        }
        self.search(key, start, root, hit);
        let interval = &self.wishes[root].0.interval;
        if interval.start[..] <= *key {
            if interval.is_before_end(key) {
                debug_assert!(interval.contains(key), "a hit has the key");
                hit(root);
            }
            self.search(key, root + 1, end, hit);
        }
    }
}

#[cfg(test)]
mod tests {
    use kv_testkit::Random;

    use super::super::super::interval::Interval;
    use super::*;

    #[test]
    fn every_range_of_a_key_is_hit() {
        let mut random = Random::new(5);
        let key = |random: &mut Random| -> bytes::Bytes {
            let bytes = (0..=random.below(2)).map(|_| *random.pick(b"abcde"));
            bytes.collect::<Vec<_>>().into()
        };
        for _ in 0..300 {
            let mut ranges = Ranges::default();
            for step in 0..random.below(60) {
                let end = (random.below(5) > 0).then(|| key(&mut random));
                let interval = Interval { start: key(&mut random), end };
                let wish = Wish { interval, prev_kv: false, no_put: false, no_delete: false };
                if random.below(4) == 0 {
                    ranges.remove(&wish);
                } else {
                    *ranges.get_or_insert_with(&wish, || 0) = step;
                }
                let key = key(&mut random);
                let mut hits = Vec::new();
                ranges.with(&key, |at| hits.push(at));
                let inside = |at: &usize| ranges.at(*at).0.interval.contains(&key);
                assert_eq!(hits, (0..ranges.wishes.len()).filter(inside).collect::<Vec<_>>());
            }
        }
    }
}
