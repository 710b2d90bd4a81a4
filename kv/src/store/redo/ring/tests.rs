//! The ring beside a list of what was written to it.

use kv_testkit::Random;
use pagefile_std::MemStore;

use super::*;
use crate::error::Error;

const PAGE: u32 = 1024;
const START: LogStart = LogStart { first_page: 2, pages: 64, epoch: 5, position: 0, chain: 1 };

fn file() -> MemStore {
    MemStore::with_bytes(&vec![0; 80 * PAGE as usize])
}

/// The records of a unit, `len` bytes that tell the number; what fills up the last word is zero.
fn records(number: u8, len: usize) -> Vec<u8> {
    vec![number.max(1); len]
}

fn append(store: &MemStore, ring: &mut Ring, records: &[u8]) -> bool {
    let mut bytes = Ring::begin_unit();
    bytes.extend_from_slice(records);
    let Some(unit) = ring.unit(bytes) else { return false };
    for (at, part) in unit.parts() {
        store.write_at(at, &[IoSlice::new(part)]).unwrap();
    }
    ring.advance(&unit);
    true
}

fn read(store: &MemStore, start: LogStart) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    read_units(store, start, PAGE, |records| {
        let len = records.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        all.push(records[..len].to_vec());
        Ok(())
    })?;
    Ok(all)
}

#[test]
fn what_was_written_since_the_checkpoint_is_read_in_order() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let (store, mut ring) = (file(), Ring::new(START, PAGE));
        let (mut checkpoint, mut model) = (ring.head(), Vec::new());
        for number in 0..120u8 {
            let most = if random.one_in(3) { ring.longest_record() } else { 100 };
            let len = 1 + random.below(most);
            let records = records(number, len);
            if append(&store, &mut ring, &records) {
                model.push(records);
            }
            if random.one_in(6) {
                ring.release(ring.head().position);
                checkpoint = ring.head();
                model.clear();
            }
            assert_eq!(read(&store, checkpoint).unwrap(), model, "seed {seed}, unit {number}");
            assert_eq!(ring.has_units(), !model.is_empty());
        }
    }
}

#[test]
fn a_log_that_is_full_takes_nothing_before_a_checkpoint() {
    let (store, mut ring) = (file(), Ring::new(START, PAGE));
    let units = (0..100).take_while(|&number| append(&store, &mut ring, &records(number, 10))).count();
    assert_eq!(units, 16, "a unit of each block");
    ring.release(ring.head().position);
    assert!(append(&store, &mut ring, &records(1, 10)));
    let too_long = records(1, ring.longest_record() + 1);
    assert!(!append(&store, &mut ring, &too_long), "no unit takes more than its share");
}

/// A log with five units, and the bytes of the file.
fn five_units() -> (MemStore, Vec<u8>) {
    let (store, mut ring) = (file(), Ring::new(START, PAGE));
    for number in 1..=5 {
        assert!(append(&store, &mut ring, &records(number, 20)));
    }
    let bytes = store.snapshot();
    (store, bytes)
}

#[test]
fn the_log_ends_before_a_last_unit_that_is_not_whole() {
    let (_, bytes) = five_units();
    let last = 2 * PAGE as usize + 4 * 4096;
    for at in last..last + UNIT_HEAD + 20 {
        let mut torn = bytes.clone();
        torn[at] ^= 0x10;
        assert_eq!(read(&MemStore::with_bytes(&torn), START).unwrap().len(), 4, "byte {at}");
    }
}

#[test]
fn a_hole_is_damage_and_no_end() {
    let (_, bytes) = five_units();
    for unit in 0..4 {
        let mut torn = bytes.clone();
        torn[2 * PAGE as usize + unit * 4096 + 50] ^= 1;
        assert!(matches!(read(&MemStore::with_bytes(&torn), START), Err(Error::Corrupt { .. })), "unit {unit}");
    }
}

/// The checkpoint of the lap before is not taken for the newest one, although its first unit is gone and nothing follows.
#[test]
fn a_lap_that_is_newer_than_the_checkpoint_is_damage() {
    let (store, mut ring) = (file(), Ring::new(START, PAGE));
    for lap in 0..2 {
        for number in 1..=16 {
            assert!(append(&store, &mut ring, &records(number, 20)), "lap {lap}");
        }
        ring.release(ring.head().position);
    }
    assert!(matches!(read(&store, START), Err(Error::Corrupt { .. })));
    let second = LogStart { position: 16 * 4096, ..ring.head() };
    assert!(matches!(read(&store, second), Err(Error::Corrupt { .. })), "nor with a chain that does not fit");
}

#[test]
fn units_take_a_quarter_of_any_log_at_most() {
    for blocks in 8..40 {
        let start = LogStart { pages: blocks * 4, ..START };
        let ring = Ring::new(start, PAGE);
        let mut bytes = Ring::begin_unit();
        bytes.resize(UNIT_HEAD + ring.longest_record(), 1);
        let unit = ring.unit(bytes).unwrap();
        assert!(unit.len() * UNIT_SHARE <= blocks * 4096, "{blocks} blocks");
    }
    let odd = LogStart { pages: 33, ..START };
    assert!(!Ring::can_be(odd, PAGE) && !Ring::can_be(LogStart { pages: 1 << 21, ..START }, PAGE));
}

#[test]
fn a_unit_of_another_life_is_not_taken() {
    let (store, bytes) = five_units();
    assert_eq!(read(&store, LogStart { epoch: 6, ..START }).unwrap().len(), 0);
    // The same life by its number, and another history.
    let other = file();
    let mut ring = Ring::new(LogStart { chain: 2, ..START }, PAGE);
    for number in 1..=5 {
        assert!(append(&other, &mut ring, &records(number, 20)));
    }
    let (mut mixed, other) = (bytes, other.snapshot());
    let third = 2 * PAGE as usize + 2 * 4096;
    mixed[third..].copy_from_slice(&other[third..]);
    assert!(matches!(read(&MemStore::with_bytes(&mixed), START), Err(Error::Corrupt { .. })));
}

/// A unit that becomes whole while the log is being read, after the look at its place.
#[derive(Debug)]
struct Late {
    store: MemStore,
    unit: Vec<u8>,
    at: u64,
    /// Looks at its place before it is whole.
    looks: std::sync::atomic::AtomicU32,
}

impl PageStore for Late {
    fn len(&self) -> u64 {
        self.store.len()
    }
    fn view(&self) -> pagefile_std::View<'_> {
        self.store.view()
    }
    fn view_owned(&self) -> pagefile_std::View<'static> {
        self.store.view_owned()
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), pagefile_std::StoreError> {
        self.store.read_at(offset, into)?;
        if offset == self.at && self.looks.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 1 {
            self.store.write_at(self.at, &[IoSlice::new(&self.unit)])?;
        }
        Ok(())
    }
    fn write_at(&self, offset: u64, bytes: &[IoSlice<'_>]) -> Result<(), pagefile_std::StoreError> {
        self.store.write_at(offset, bytes)
    }
    fn grow(&self, len: u64) -> Result<(), pagefile_std::StoreError> {
        self.store.grow(len)
    }
    fn sync(&self) -> Result<(), pagefile_std::StoreError> {
        Ok(())
    }
    fn poisoned(&self) -> bool {
        false
    }
}

/// Beside a program that writes: the unit was not whole when it was looked for, and the ones after it are there by now.
#[test]
fn a_unit_that_is_whole_at_the_second_look_is_no_hole() {
    let (_, bytes) = five_units();
    for unit in 0..5 {
        let at = 2 * PAGE as usize + unit * 4096;
        let whole = bytes[at..at + 4096].to_vec();
        let mut early = bytes.clone();
        early[at + 50] ^= 1;
        let late = |looks: u32| Late {
            store: MemStore::with_bytes(&early),
            unit: whole.clone(),
            at: at as u64,
            looks: looks.into(),
        };
        let units = |store: &Late| {
            let mut units = 0;
            let read = read_units(store, START, PAGE, |_| {
                units += 1;
                Ok(())
            });
            read.map(|bytes| (units, bytes))
        };
        // Its head and all of it; then once more.
        let read = units(&late(2));
        assert_eq!(read.unwrap(), if unit == 4 { (4, 4 * 4096) } else { (5, 5 * 4096) }, "unit {unit}");
        let never = units(&late(100));
        assert!(if unit == 4 { never.is_ok() } else { matches!(never, Err(Error::Corrupt { .. })) }, "unit {unit}");
    }
}
