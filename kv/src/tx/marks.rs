//! The high-water marks of the states that somebody may still look at: how far the file has to reach.

use std::collections::VecDeque;

use freelist_core::TxId;

/// For each state from the oldest that counts on: the largest mark of it and all later ones. As few entries as say so.
#[derive(Debug)]
pub(crate) struct Marks {
    /// States ascending, their marks descending: a state whose mark a later one reaches too is left out.
    states: VecDeque<(TxId, u64)>,
}

impl Marks {
    /// Of a file that has just been opened at the state `visible`. Its other meta may be of any state, so the file has to
    /// reach as far as it does until both metas are new.
    pub(crate) fn opened_at(visible: TxId) -> Self {
        Self { states: VecDeque::from([(visible, u64::MAX)]) }
    }

    /// A new state became visible.
    pub(crate) fn note(&mut self, state: TxId, mark: u64) {
        assert!(self.states.back().is_none_or(|&(before, _)| before < state), "states come in their order");
        while self.states.back().is_some_and(|&(_, before)| before <= mark) {
            self.states.pop_back();
        }
        self.states.push_back((state, mark));
    }

    /// The largest mark of the states from `oldest` on, which are all that still count. O(1), amortised.
    pub(crate) fn needed_from(&mut self, oldest: TxId) -> u64 {
        while self.states.len() > 1 && self.states.front().is_some_and(|&(state, _)| state < oldest) {
            self.states.pop_front();
        }
        assert!(self.states.iter().is_sorted_by(|one, next| one.1 > next.1), "marks descend");
        self.states.front().map_or(u64::MAX, |&(_, mark)| mark)
    }
}

#[cfg(test)]
mod tests {
    use kv_testkit::Random;

    use super::*;

    #[test]
    fn what_is_needed_is_the_largest_mark_from_the_oldest_state_on() {
        for seed in 0..100 {
            let mut random = Random::new(seed);
            let mut marks = Marks::opened_at(TxId::new(10));
            let mut model = vec![(10, u64::MAX)];
            let mut oldest = 0;
            for state in 11..200 {
                let mark = random.below_u64(20);
                marks.note(TxId::new(state), mark);
                model.push((state, mark));
                oldest = random.below_u64(state.saturating_sub(oldest).saturating_add(1)).saturating_add(oldest);
                let needed = model.iter().filter(|(state, _)| *state >= oldest).map(|(_, mark)| *mark).max();
                assert_eq!(Some(marks.needed_from(TxId::new(oldest))), needed, "seed {seed}, from {oldest}");
            }
        }
    }
}
