//! Which outcomes of a power cut to look at: all of them while they are few, and those that find
//! bugs when they are many.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::epoch::Epoch;
use super::flight::Flight;
use super::power_cut::{Kept, PowerCut};
use super::strategy::Strategy;
use crate::random::Random;

impl Epoch {
    /// Goes through the outcomes that `strategy` asks for, each once, until `each` breaks; returns
    /// how many there were.
    ///
    /// ```
    /// use pagefile_std::sim::{SimDisk, Strategy};
    /// use pagefile_std::PageStore;
    /// use std::io::IoSlice;
    /// use std::ops::ControlFlow;
    ///
    /// let disk = SimDisk::with_bytes(&[0; 2048]);
    /// disk.write_at(0, &[IoSlice::new(&[1; 2048])]).unwrap();
    /// let [epoch] = &disk.take_epochs()[..] else { panic!("no barrier yet") };
    /// let every_subset_of_four_sectors = epoch
    ///     .each_power_cut(&Strategy::for_pages(1024).without_in_place(), |_| ControlFlow::<()>::Continue(()));
    /// assert_eq!(every_subset_of_four_sectors, ControlFlow::Continue(16));
    /// ```
    pub fn each_power_cut<B>(
        &self,
        strategy: &Strategy,
        mut each: impl FnMut(&PowerCut) -> ControlFlow<B>,
    ) -> ControlFlow<B, u64> {
        let durable_len = self.durable().len() as u64;
        // A truncation that is lost leaves the durable length and the durable bytes, whatever came after it.
        let mut outcomes = vec![(durable_len, self.durable().len())];
        outcomes.extend(self.lens.iter().map(|len| (*len, self.intact_len())));
        outcomes.sort_unstable();
        outcomes.dedup();
        let mut count = 0;
        for (len, intact) in outcomes {
            let fills = if len > intact as u64 && strategy.garbage { &[false, true][..] } else { &[false] };
            for garbage in fills {
                let flight = Arc::new(Flight::of(self, len, strategy.page_size.max(1)));
                let kept = Kept::none(flight.sectors.len());
                let mut outcomes = Outcomes {
                    epoch: self,
                    strategy,
                    random: Random::seeded(strategy.seed),
                    seen: HashSet::new(),
                    cut: PowerCut { len, intact, garbage: *garbage, kept, torn: None, flight: Arc::clone(&flight) },
                    each: &mut each,
                };
                outcomes.all(&flight)?;
                count += outcomes.seen.len() as u64;
            }
        }
        ControlFlow::Continue(count)
    }
}

/// The outcomes for one length.
struct Outcomes<'a, F> {
    epoch: &'a Epoch,
    strategy: &'a Strategy,
    random: Random,
    /// Hashes of the outcomes that were shown: two ways often lead to the same one.
    seen: HashSet<u64>,
    /// The outcome to be shown next.
    cut: PowerCut,
    each: &'a mut F,
}

impl<B, F: FnMut(&PowerCut) -> ControlFlow<B>> Outcomes<'_, F> {
    fn all(&mut self, flight: &Flight) -> ControlFlow<B> {
        let few = self.strategy.exhaustive_max;
        if flight.sectors.len() <= few {
            let sectors: Vec<_> = (0..flight.sectors.len()).map(|sector| sector..sector + 1).collect();
            self.subsets(&sectors)?;
        } else {
            if flight.pages.len() <= few {
                self.subsets(&flight.pages)?;
            } else {
                self.some_pages(flight)?;
            }
            self.tears(flight)?;
            self.random_sectors(flight)?;
            self.sectors_in_place(flight)?;
        }
        self.bytes_in_place(flight)
    }

    /// Shows the outcome that `self.cut` holds, unless it was shown before.
    fn show(&mut self) -> ControlFlow<B> {
        let mut hasher = DefaultHasher::new();
        (&self.cut.kept, self.cut.torn).hash(&mut hasher);
        if self.seen.insert(hasher.finish()) {
            return (self.each)(&self.cut);
        }
        ControlFlow::Continue(())
    }

    fn show_kept(&mut self, kept: Kept) -> ControlFlow<B> {
        self.cut.kept = kept;
        self.show()
    }

    fn none(&self) -> Kept {
        Kept::none(self.cut.flight.sectors.len())
    }

    fn all_or_none(&self, all: bool) -> Kept {
        let mut kept = self.none();
        kept.set_all(0..self.cut.flight.sectors.len(), all);
        kept
    }

    /// Every subset of these units, which are at most `exhaustive_max`.
    fn subsets(&mut self, units: &[Range<usize>]) -> ControlFlow<B> {
        for subset in 0..1_u64 << units.len() {
            let mut kept = self.none();
            for (number, unit) in units.iter().enumerate() {
                kept.set_all(unit.clone(), subset >> number & 1 == 1);
            }
            self.show_kept(kept)?;
        }
        ControlFlow::Continue(())
    }

    fn some_pages(&mut self, flight: &Flight) -> ControlFlow<B> {
        let pages = &flight.pages;
        for all in [false, true] {
            let kept = self.all_or_none(all);
            self.show_kept(kept)?;
            for page in pages {
                let mut kept = self.all_or_none(all);
                kept.set_all(page.clone(), !all);
                self.show_kept(kept)?;
            }
        }
        let mut by_place: Vec<_> = pages.iter().collect();
        by_place.sort_by_key(|page| flight.sectors[page.start].start);
        for order in [pages.iter().collect(), by_place] {
            let mut kept = self.none();
            for page in order {
                kept.set_all(page.clone(), true);
                self.show_kept(kept.clone())?;
            }
        }
        for (number, first) in pages.iter().enumerate() {
            for second in &pages[number + 1..] {
                let mut kept = self.all_or_none(true);
                kept.set_all(first.clone().chain(second.clone()), false);
                self.show_kept(kept)?;
            }
        }
        self.random_units(pages)
    }

    /// Random subsets of these units, from sparse to dense.
    fn random_units(&mut self, units: &[Range<usize>]) -> ControlFlow<B> {
        for _ in 0..self.strategy.random {
            let density = self.random.byte();
            let mut kept = self.none();
            for unit in units {
                kept.set_all(unit.clone(), self.random.byte() <= density);
            }
            self.show_kept(kept)?;
        }
        ControlFlow::Continue(())
    }

    fn random_sectors(&mut self, flight: &Flight) -> ControlFlow<B> {
        let sectors: Vec<_> = (0..flight.sectors.len()).map(|sector| sector..sector + 1).collect();
        self.random_units(&sectors)
    }

    fn tears(&mut self, flight: &Flight) -> ControlFlow<B> {
        for page in &flight.pages {
            for cut in page.start + 1..page.end {
                for (head, rest) in [(false, false), (false, true), (true, false), (true, true)] {
                    let mut kept = self.all_or_none(rest);
                    kept.set_all(page.start..cut, head);
                    kept.set_all(cut..page.end, !head);
                    self.show_kept(kept)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pages_in_place(&self, flight: &Flight) -> Vec<Range<usize>> {
        let in_place = &self.strategy.in_place;
        let inside = |page: &&Range<usize>| in_place.contains(&(flight.sectors[page.start].start as u64));
        flight.pages.iter().filter(inside).cloned().collect()
    }

    fn sectors_in_place(&mut self, flight: &Flight) -> ControlFlow<B> {
        for page in self.pages_in_place(flight) {
            if page.len() > self.strategy.exhaustive_max {
                // Its random subsets are among those of all sectors.
                continue;
            }
            for subset in 0..1_u64 << page.len() {
                for rest in [false, true] {
                    let mut kept = self.all_or_none(rest);
                    for (number, sector) in page.clone().enumerate() {
                        kept.set(sector, subset >> number & 1 == 1);
                    }
                    self.show_kept(kept)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn bytes_in_place(&mut self, flight: &Flight) -> ControlFlow<B> {
        for page in self.pages_in_place(flight) {
            for torn in page.clone() {
                let sector = flight.sectors[torn];
                let new = sector.bytes(self.epoch, sector.len);
                for bytes in 1..sector.len {
                    let changed = self.epoch.durable().get(sector.start + bytes - 1);
                    if changed == new.get(bytes - 1) {
                        continue;
                    }
                    for rest in [false, true] {
                        let mut kept = self.all_or_none(rest);
                        kept.set_all(page.start..torn, true);
                        kept.set_all(torn..page.end, false);
                        self.cut.torn = Some((torn, bytes));
                        self.show_kept(kept)?;
                    }
                }
            }
        }
        self.cut.torn = None;
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::IoSlice;
    use std::ops::ControlFlow;

    use crate::PageStore;
    use crate::sim::{SECTOR, SimDisk, Strategy};

    #[test]
    fn a_page_in_place_of_the_most_sectors_is_there_by_every_subset_of_them() {
        let page = 3 * SECTOR;
        let disk = SimDisk::with_bytes(&vec![0; 2 * page]);
        disk.write_at(0, &[IoSlice::new(&vec![1; 2 * page])]).unwrap();
        let [epoch] = &disk.take_epochs()[..] else { unreachable!("no barrier was passed") };
        let strategy = Strategy { in_place: 0..1, exhaustive_max: 3, random: 0, ..Strategy::for_pages(page) };
        let mut found = BTreeSet::new();
        let _ = epoch.each_power_cut(&strategy, |cut| {
            found.insert(epoch.image(cut));
            ControlFlow::<()>::Continue(())
        });
        // No tear of a page leaves the middle of it alone.
        for rest in [0, 1] {
            for subset in 0..8u8 {
                let sectors = (0..3).flat_map(|sector| [subset >> sector & 1; SECTOR]).chain([rest; 3 * SECTOR]);
                assert!(found.contains(&sectors.collect::<Vec<_>>()), "subset {subset:03b}, the rest {rest}");
            }
        }
    }
}
