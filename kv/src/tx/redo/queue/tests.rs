//! The queue beside a list of what was pushed.

use std::cell::RefCell;

use kv_testkit::Random;
use pagefile_std::MemStore;

use super::*;
use crate::store::read_units;

const PAGE: u32 = 1024;
const START: LogStart = LogStart { first_page: 2, pages: 32, epoch: 5, position: 0, chain: 1 };

/// A store that units are written to, and what was shown.
struct Disk {
    store: MemStore,
    shown: RefCell<Vec<u64>>,
}

impl Sink for Disk {
    fn write(&self, unit: &Unit) -> Result<()> {
        super::super::sink::write_unit(&self.store, unit)
    }

    fn show(&self, unit: &Unit, commits: Vec<Commit>) {
        let bytes: u64 = commits.iter().map(|commit| commit.bytes).sum();
        assert!(bytes < unit.len(), "the unit has the records");
        self.shown.borrow_mut().extend(commits.iter().map(|commit| commit.tx));
    }
}

/// Which transactions the units after `start` are of, by records whose first byte is the number.
fn read(disk: &Disk, start: LogStart, len_of: &dyn Fn(u64) -> usize) -> Vec<u64> {
    let mut found = Vec::new();
    read_units(&disk.store, start, PAGE, |mut records| {
        while let Some(number) = records.first().copied().map(u64::from).filter(|number| *number > 0) {
            found.push(number);
            records = records.get(len_of(number)..).unwrap();
        }
        Ok(())
    })
    .unwrap();
    found
}

#[test]
fn what_has_room_is_written_in_order_whoever_writes_meanwhile() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let disk = Disk { store: MemStore::with_bytes(&vec![0; 40 * PAGE as usize]), shown: RefCell::default() };
        let queue = LogQueue::new();
        queue.begin(Ring::new(START, PAGE));
        // Long ones and short ones; as long as the longest now and then.
        let len_of = move |tx: u64| match (seed + tx) % 5 {
            0 => 8000 + usize::try_from(tx % 153).unwrap(),
            1 => 3000,
            _ => 20 + usize::try_from(tx % 300).unwrap(),
        };
        // What the log has to have behind the last checkpoint, and how much of it is in one that has begun.
        let (mut checkpoint, mut kept, mut begun) = (START, Vec::new(), None);
        for tx in 1..150 {
            let len = len_of(tx);
            if !queue.has_room(len) {
                queue.drain(&disk).unwrap();
                assert_eq!(read(&disk, checkpoint, &len_of), kept, "seed {seed}");
                if begun.take().is_some() {
                    queue.release_marked();
                }
                queue.release();
                (checkpoint, kept) = (queue.head().unwrap(), Vec::new());
                assert!(queue.has_room(len), "a log that is empty has room for every record");
            }
            if begun.is_none() && random.one_in(6) {
                queue.mark();
                begun = Some(kept.len());
            } else if let (Some(start), Some(all), true) = (queue.marked(), begun, random.one_in(3)) {
                queue.release_marked();
                (checkpoint, begun) = (start, None);
                kept.drain(..all);
            }
            // Another thread writes between the look and the push.
            if random.one_in(3) {
                let state = queue.lock();
                if !state.waiting.is_empty() {
                    drop(queue.lead(state, &disk));
                }
            }
            let mut record = vec![u8::try_from(tx).unwrap()];
            record.resize(len, 1);
            queue.push(&record, Commit { tx, bytes: len as u64, news: None }).unwrap();
            kept.push(tx);
            if random.one_in(4) {
                let waits_for = tx - random.below_u64(tx);
                queue.wait(waits_for, &disk).unwrap();
                assert!(disk.shown.borrow().last().is_some_and(|shown| *shown >= waits_for));
            }
            if random.one_in(5) {
                queue.wait_for_room(&disk).unwrap();
                let state = queue.lock();
                let full = state.waiting.iter().rev().skip(1).filter(|unit| !unit.closed);
                assert_eq!(full.count(), 0, "seed {seed}: no unit waits that is full");
            }
        }
        queue.drain(&disk).unwrap();
        assert_eq!(read(&disk, checkpoint, &len_of), kept, "seed {seed}");
        assert_eq!(*disk.shown.borrow(), (1..150).collect::<Vec<_>>(), "each is shown once, in order");
        queue.lock().ring.iter().for_each(|ring| assert_ne!(ring.has_units(), kept.is_empty()));
        assert_eq!(queue.lock().reserved, 0);
    }
}
