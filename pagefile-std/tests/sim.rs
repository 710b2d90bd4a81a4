//! The simulated disk beside a naive model, and a small store on it whose planted bugs it finds.
#![cfg(feature = "sim")]

#[macro_use]
extern crate kv_testkit;

use std::collections::BTreeSet;
use std::io::IoSlice;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use pagefile_std::sim::{
    Barrier, Call, Epoch, Fault, Images, Kernel, Plan, PowerCut, SECTOR, SimDisk, SimOptions, Strategy,
};
use pagefile_std::{PageStore, StoreError};

/// All images of an epoch by way of `Epoch::image`; `Images` must agree on each.
fn images(epoch: &Epoch, strategy: &Strategy) -> BTreeSet<Vec<u8>> {
    let mut reused = Images::new();
    let mut found = BTreeSet::new();
    let count = epoch.each_power_cut(strategy, |cut| {
        let image = epoch.image(cut);
        let store = reused.store(epoch, cut);
        assert_eq!(store.view().bytes(0, image.len()), Some(&image[..]), "{cut:?}");
        assert_eq!(store.len(), image.len() as u64);
        scribble(&store);
        found.insert(image);
        ControlFlow::<()>::Continue(())
    });
    assert!(matches!(count, ControlFlow::Continue(count) if count >= found.len() as u64));
    found
}

/// What somebody who opens an image does to it; the next image must not show it.
fn scribble(store: &dyn PageStore) {
    store.grow(store.len() + 1).unwrap();
    store.write_at(store.len() / 2, &[IoSlice::new(&[0xee; 3000])]).unwrap();
    store.write_at(0, &[IoSlice::new(b"scribble")]).unwrap();
}

fn random(seed: &mut u64, bound: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % bound
}

mod naive {
    //! The fault model word for word, for disks of a few sectors.

    use super::{BTreeSet, SECTOR};

    /// Everything that a power cut may leave of `old` after these writes, lengths being fixed.
    pub(crate) fn outcomes(old: &[u8], writes: &[(usize, Vec<u8>)]) -> BTreeSet<Vec<u8>> {
        let mut images = BTreeSet::from([Vec::new()]);
        for sector in 0..old.len().div_ceil(SECTOR) {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(old.len());
            let values = sector_values(old[range.clone()].to_vec(), range.start, writes);
            let extended = images.iter().flat_map(|image| values.iter().map(|value| [&image[..], value].concat()));
            images = extended.collect();
        }
        images
    }

    /// Every value that a sector may have: a write to part of it may find any earlier value there.
    fn sector_values(old: Vec<u8>, start: usize, writes: &[(usize, Vec<u8>)]) -> BTreeSet<Vec<u8>> {
        let mut values = BTreeSet::from([old]);
        for (offset, bytes) in writes {
            let written = values.iter().map(|value| {
                let mut value = value.clone();
                for (place, byte) in value.iter_mut().enumerate() {
                    if let Some(new) = (start + place).checked_sub(*offset).and_then(|place| bytes.get(place)) {
                        *byte = *new;
                    }
                }
                value
            });
            let written: BTreeSet<_> = written.collect();
            values.extend(written);
        }
        values
    }
}

#[test]
fn every_outcome_of_a_few_sectors_and_no_other() {
    for seed in 0..150 {
        let mut state = seed;
        let old: Vec<u8> = (0..4 * SECTOR + 100).map(|_| random(&mut state, 3).to_le_bytes()[0]).collect();
        let disk = SimDisk::with_bytes(&old);
        let mut writes = Vec::new();
        for _ in 0..random(&mut state, 4) {
            let start = usize::try_from(random(&mut state, old.len() as u64)).unwrap();
            let len = usize::try_from(random(&mut state, 1200)).unwrap().min(old.len() - start);
            let fill = random(&mut state, 3).to_le_bytes()[0];
            disk.write_at(start as u64, &[IoSlice::new(&vec![fill; len])]).unwrap();
            writes.push((start, vec![fill; len]));
        }
        let [epoch] = &disk.take_epochs()[..] else { panic!("no barrier") };
        let expected = naive::outcomes(&old, &writes);
        let exhaustive = Strategy::for_pages(1024).without_in_place();
        assert_eq!(images(epoch, &exhaustive), expected, "seed {seed}");

        // A strategy that takes only some of them takes none that is not legal.
        let sparse = Strategy { exhaustive_max: 1, random: 20, ..exhaustive };
        assert!(images(epoch, &sparse).is_subset(&expected), "seed {seed}");
    }
}

#[test]
fn a_write_in_place_may_stop_at_every_byte() {
    let disk = SimDisk::with_bytes(&[0; 2 * SECTOR]);
    disk.write_at(0, &[IoSlice::new(&[1; 20]), IoSlice::new(&[0; 10]), IoSlice::new(&[2; 5])]).unwrap();
    let [epoch] = &disk.take_epochs()[..] else { panic!("no barrier") };
    let found = images(epoch, &Strategy::for_pages(SECTOR));
    let mut expected = BTreeSet::new();
    for kept in 0..=35 {
        let mut image = [&[1; 20][..], &[0; 10], &[2; 5], &[0; 2 * SECTOR - 35]].concat();
        image[kept..35].fill(0);
        expected.insert(image);
    }
    assert_eq!(found, expected);
}

#[test]
fn a_byte_that_is_written_where_its_neighbour_had_it_is_a_place_to_stop() {
    let old: Vec<u8> = (0..2 * SECTOR).map(|place| u8::from(place % 2 == 1)).collect();
    let new: Vec<u8> = old[1..].iter().chain(&[0]).copied().collect();
    let disk = SimDisk::with_bytes(&old);
    disk.write_at(0, &[IoSlice::new(&new[..30])]).unwrap();
    let [epoch] = &disk.take_epochs()[..] else { panic!("no barrier") };
    let expected: BTreeSet<_> = (0..=30).map(|kept| [&new[..kept], &old[kept..]].concat()).collect();
    assert_eq!(images(epoch, &Strategy::for_pages(SECTOR)), expected);
}

/// What a large epoch must show, by the number of pages in flight.
#[test]
fn many_pages_are_missing_alone_torn_and_in_prefixes() {
    const PAGE: usize = 4096;
    const PAGES: usize = 20;
    let disk = SimDisk::with_bytes(&vec![0; PAGE * PAGES]);
    // Written from the last page to the first, so that the two orders differ.
    for page in (0..PAGES).rev() {
        disk.write_at((page * PAGE) as u64, &[IoSlice::new(&[1; PAGE])]).unwrap();
    }
    let [epoch] = &disk.take_epochs()[..] else { panic!("no barrier") };
    let strategy = Strategy { random: 50, ..Strategy::for_pages(PAGE).without_in_place() };
    let found = images(epoch, &strategy);

    let image = |kept: &dyn Fn(usize) -> bool| -> Vec<u8> {
        (0..PAGES * PAGE).map(|byte| u8::from(kept(byte / SECTOR))).collect()
    };
    let page_of = |sector: usize| sector / (PAGE / SECTOR);
    for first in 0..PAGES {
        assert!(found.contains(&image(&|sector| page_of(sector) == first)), "{first} alone");
        assert!(found.contains(&image(&|sector| page_of(sector) < first)), "the first {first}");
        assert!(found.contains(&image(&|sector| page_of(sector) >= first)), "the last {first}");
        for second in 0..PAGES {
            let kept = |sector| page_of(sector) != first && page_of(sector) != second;
            assert!(found.contains(&image(&kept)), "{first} and {second} missing");
        }
        for cut in 1..PAGE / SECTOR {
            let cut = first * (PAGE / SECTOR) + cut;
            for rest in [false, true] {
                let head = |sector| if page_of(sector) == first { sector < cut } else { rest };
                let tail = |sector| if page_of(sector) == first { sector >= cut } else { rest };
                assert!(found.contains(&image(&head)) && found.contains(&image(&tail)), "torn at {cut}");
            }
        }
    }
    assert!(found.contains(&image(&|_| true)) && found.contains(&image(&|_| false)));
}

#[test]
fn a_power_cut_inside_growth_leaves_either_length() {
    let disk = SimDisk::with_bytes(&[1; SECTOR]);
    disk.write_at(0, &[IoSlice::new(&[2; SECTOR])]).unwrap();
    disk.grow(SECTOR as u64 + 1).unwrap();
    let [growth, now] = &disk.take_epochs()[..] else { panic!("one barrier") };
    assert_eq!((growth.ended_by(), now.ended_by()), (Barrier::Growth, Barrier::None));

    let lens = |epoch: &Epoch, strategy: &Strategy| -> BTreeSet<(usize, bool)> {
        let zero = |image: &Vec<u8>| image.get(SECTOR..).is_none_or(|rest| rest.iter().all(|byte| *byte == 0));
        images(epoch, strategy).iter().map(|image| (image.len(), zero(image))).collect()
    };
    let strategy = Strategy::for_pages(SECTOR);
    let new = 32 * 1024;
    assert_eq!(lens(growth, &strategy), BTreeSet::from([(SECTOR, true), (new, true), (new, false)]));
    let mild = Strategy { garbage: false, ..strategy.clone() };
    assert_eq!(lens(growth, &mild), BTreeSet::from([(SECTOR, true), (new, true)]));
    assert_eq!(lens(now, &strategy), BTreeSet::from([(new, true)]), "durable once it has returned");
    assert_eq!(images(now, &strategy.without_in_place()).len(), 2, "the write is not");
}

#[test]
fn growth_that_is_not_synced_is_durable_with_the_next_sync() {
    let options = SimOptions { growth_synced: false, ..SimOptions::default() };
    let disk = SimDisk::with_options(&[1; SECTOR], options);
    disk.grow(SECTOR as u64 + 1).unwrap();
    disk.write_at(SECTOR as u64, &[IoSlice::new(&[2; SECTOR])]).unwrap();
    disk.sync().unwrap();
    let [before, after] = &disk.take_epochs()[..] else { panic!("one barrier") };
    let strategy = Strategy::for_pages(SECTOR);
    assert!(images(before, &strategy).contains(&vec![1; SECTOR]));
    assert_eq!(images(after, &strategy).iter().map(Vec::len).collect::<Vec<_>>(), [32 * 1024]);
}

/// One byte for each sector.
fn sectors(image: &[u8]) -> Vec<u8> {
    image.chunks(SECTOR).map(|sector| sector[0]).collect()
}

#[test]
fn a_durable_write_is_a_barrier_for_its_own_bytes_alone() {
    let disk = SimDisk::with_bytes(&[0; 4 * SECTOR]);
    disk.write_at(0, &[IoSlice::new(&[1; 3 * SECTOR])]).unwrap();
    disk.write_durable_at(SECTOR as u64, &[IoSlice::new(&[2; SECTOR])]).unwrap();
    disk.write_at(SECTOR as u64 * 3, &[IoSlice::new(&[3; SECTOR])]).unwrap();
    let [during, after] = &disk.take_epochs()[..] else { panic!("one barrier") };
    assert_eq!(during.ended_by(), Barrier::Write(SECTOR as u64..2 * SECTOR as u64));

    let strategy = Strategy::for_pages(SECTOR).without_in_place();
    let left = |epoch| images(epoch, &strategy).iter().map(|image| sectors(image)).collect::<BTreeSet<_>>();
    let each = |second: &[u8], last: &[u8]| {
        let mut all = BTreeSet::new();
        for (first, third) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            all.extend(second.iter().flat_map(|&s| last.iter().map(move |&l| vec![first, s, third, l])));
        }
        all
    };
    assert_eq!(left(during), each(&[0, 1, 2], &[0]), "until it returns each sector may be old or new");
    assert_eq!(left(after), each(&[2], &[0, 3]), "then its own are there, and the others may be lost");
    disk.sync().unwrap();
    assert_eq!(left(disk.take_epochs().last().unwrap()), BTreeSet::from([vec![1, 2, 1, 3]]));
}

#[test]
fn a_durable_write_makes_the_length_durable_that_it_needs() {
    for (at, lens) in [(0, vec![SECTOR, 32 * 1024]), (SECTOR, vec![32 * 1024])] {
        let options = SimOptions { growth_synced: false, ..SimOptions::default() };
        let disk = SimDisk::with_options(&[1; SECTOR], options);
        disk.grow(SECTOR as u64 + 1).unwrap();
        disk.write_durable_at(at as u64, &[IoSlice::new(&[2; SECTOR])]).unwrap();
        let epochs = disk.take_epochs();
        let left = images(epochs.last().unwrap(), &Strategy { garbage: false, ..Strategy::for_pages(SECTOR) });
        assert_eq!(left.iter().map(Vec::len).collect::<Vec<_>>(), lens, "at byte {at}");
        assert!(left.iter().all(|image| image[at..at + SECTOR] == [2; SECTOR]));
    }
}

#[test]
fn a_durable_write_that_fails_leaves_its_own_bytes_in_doubt() {
    for (kernel, seen, left_later) in [
        (Kernel::StaysDirty, vec![1, 1], vec![vec![1, 1]]),
        (Kernel::CleanNew, vec![1, 1], vec![vec![1, 0], vec![1, 1]]),
        (Kernel::Reverted, vec![1, 0], vec![vec![1, 0]]),
    ] {
        let disk =
            SimDisk::with_options(&[0; 2 * SECTOR], SimOptions { kernel, latch: false, ..SimOptions::default() });
        disk.write_at(0, &[IoSlice::new(&[1; SECTOR])]).unwrap();
        disk.plan(Plan { call: Some(Call::Sync), nth: 1, fault: Fault::Io, for_ever: false });
        disk.write_durable_at(SECTOR as u64, &[IoSlice::new(&[1; SECTOR])]).unwrap_err();
        assert_eq!(sectors(disk.view().bytes(0, 2 * SECTOR).unwrap()), seen, "{kernel:?}");
        disk.sync().unwrap();
        let strategy = Strategy::for_pages(SECTOR).without_in_place();
        let left = images(disk.take_epochs().last().unwrap(), &strategy);
        assert_eq!(left.iter().map(|image| sectors(image)).collect::<Vec<_>>(), left_later, "{kernel:?}");
    }
    let disk = SimDisk::with_bytes(&[0; SECTOR]);
    disk.plan(Plan { call: Some(Call::Sync), nth: 1, fault: Fault::Io, for_ever: false });
    disk.write_durable_at(0, &[IoSlice::new(&[1; SECTOR])]).unwrap_err();
    assert!(matches!(disk.write_durable_at(0, &[IoSlice::new(&[1; SECTOR])]), Err(StoreError::Poisoned)));
}

#[test]
fn a_kill_keeps_the_page_cache_and_a_power_cut_may_not() {
    let disk = SimDisk::with_bytes(&[0; SECTOR]);
    disk.write_at(0, &[IoSlice::new(&[1; SECTOR])]).unwrap();
    let next = disk.reopen();
    drop(disk);
    assert_eq!(next.view().bytes(0, SECTOR), Some(&[1; SECTOR][..]));
    let strategy = Strategy::for_pages(SECTOR).without_in_place();
    assert_eq!(images(&next.take_epochs()[0], &strategy).len(), 2);
    next.sync().unwrap();
    assert_eq!(images(&next.take_epochs()[1], &strategy), BTreeSet::from([vec![1; SECTOR]]));
}

/// One sector is 0; 1 is written; the sync fails; then `after` happens. What the process reads and
/// what a power cut may leave.
fn after_a_failed_sync(kernel: Kernel, after: fn(&SimDisk)) -> (u8, Vec<u8>) {
    let disk = SimDisk::with_options(&[0; SECTOR], SimOptions { kernel, latch: false, ..SimOptions::default() });
    disk.write_at(0, &[IoSlice::new(&[1; SECTOR])]).unwrap();
    disk.plan(Plan { call: Some(Call::Sync), nth: 1, fault: Fault::Io, for_ever: false });
    disk.sync().unwrap_err();
    after(&disk);
    let seen = disk.view().bytes(0, 1).unwrap()[0];
    let epochs = disk.take_epochs();
    let strategy = Strategy::for_pages(SECTOR).without_in_place();
    let left = images(epochs.last().unwrap(), &strategy).into_iter().map(|image| image[0]).collect();
    (seen, left)
}

#[test]
fn three_kernels_after_a_failed_sync() {
    let nothing: fn(&SimDisk) = |_| {};
    assert_eq!(after_a_failed_sync(Kernel::StaysDirty, nothing), (1, vec![0, 1]));
    assert_eq!(after_a_failed_sync(Kernel::CleanNew, nothing), (1, vec![0, 1]));
    assert_eq!(after_a_failed_sync(Kernel::Reverted, nothing), (0, vec![0]));

    let sync_again: fn(&SimDisk) = |disk| disk.sync().unwrap();
    assert_eq!(after_a_failed_sync(Kernel::StaysDirty, sync_again), (1, vec![1]));
    assert_eq!(after_a_failed_sync(Kernel::CleanNew, sync_again), (1, vec![0, 1]), "synced, they say");
    assert_eq!(after_a_failed_sync(Kernel::Reverted, sync_again), (0, vec![0]));

    let write_again: fn(&SimDisk) = |disk| {
        disk.write_at(0, &[IoSlice::new(&[1; SECTOR])]).unwrap();
        disk.sync().unwrap();
    };
    for kernel in [Kernel::StaysDirty, Kernel::CleanNew, Kernel::Reverted] {
        assert_eq!(after_a_failed_sync(kernel, write_again), (1, vec![1]), "{kernel:?}");
    }
}

#[test]
fn only_what_was_written_again_is_sure_after_a_failed_sync() {
    let disk = SimDisk::with_options(&[0; 3 * SECTOR], SimOptions { latch: false, ..SimOptions::default() });
    disk.write_at(0, &[IoSlice::new(&[1; 3 * SECTOR])]).unwrap();
    disk.plan(Plan { call: Some(Call::Sync), nth: 1, fault: Fault::Io, for_ever: false });
    disk.sync().unwrap_err();
    disk.write_at(SECTOR as u64, &[IoSlice::new(&[1; SECTOR])]).unwrap();
    disk.sync().unwrap();
    let epochs = disk.take_epochs();
    let found = images(epochs.last().unwrap(), &Strategy::for_pages(SECTOR).without_in_place());
    let sectors: Vec<_> = found.iter().map(|image| [image[0], image[SECTOR], image[2 * SECTOR]]).collect();
    assert_eq!(sectors, [[0, 1, 0], [0, 1, 1], [1, 1, 0], [1, 1, 1]]);
}

#[test]
fn short_and_interrupted_writes_are_carried_on() {
    for fault in [Fault::Short(1), Fault::Short(700), Fault::Interrupted] {
        for for_ever in [false, true] {
            let disk = SimDisk::with_bytes(&[0; 3000]);
            disk.plan(Plan { call: Some(Call::Write), nth: 1, fault, for_ever });
            disk.write_at(10, &[IoSlice::new(&[1; 1000]), IoSlice::new(&[2; 1000])]).unwrap();
            let expected = [&[0; 10][..], &[1; 1000], &[2; 1000], &[0; 990]].concat();
            assert_eq!(disk.view().bytes(0, 3000), Some(&expected[..]), "{fault:?}");
            assert!(disk.calls() > 1);
        }
    }
}

#[test]
fn a_failed_call_poisons_unless_the_latch_is_off() {
    type Operation = fn(&SimDisk) -> Result<(), StoreError>;
    let operations: [(Call, Operation); 4] = [
        (Call::Write, |disk| disk.write_at(0, &[IoSlice::new(b"x")])),
        (Call::Sync, |disk| disk.sync()),
        (Call::SetLen, |disk| disk.grow(100_000)),
        (Call::Sync, |disk| disk.grow(100_000)),
    ];
    for (call, operation) in operations {
        for fault in [Fault::Io, Fault::Full] {
            for latch in [true, false] {
                let disk = SimDisk::with_options(&[0; 100], SimOptions { latch, ..SimOptions::default() });
                disk.plan(Plan { call: Some(call), nth: 1, fault, for_ever: false });
                let error = operation(&disk).unwrap_err();
                assert!(matches!(error, StoreError::Io { .. }), "{error}");
                assert_eq!(disk.len(), 100);
                assert_eq!(disk.poisoned(), latch);
                assert_eq!(operation(&disk).is_err(), latch);
                assert!(!disk.reopen().poisoned());
            }
        }
    }
    let disk = SimDisk::with_bytes(&[0; 100]);
    disk.plan(Plan { call: Some(Call::Read), nth: 1, fault: Fault::Io, for_ever: false });
    disk.read_at(0, &mut [0]).unwrap_err();
    assert!(!disk.poisoned());
    disk.read_at(0, &mut [0]).unwrap();
}

#[test]
fn the_hook_sees_every_write_before_it_happens() {
    let disk = Arc::new(SimDisk::with_bytes(&[0; 2 * SECTOR]));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (hooked, log) = (Arc::clone(&disk), Arc::clone(&seen));
    disk.before_write(move |ahead| {
        let now = hooked.view().bytes(ahead.range.start, 1).unwrap()[0];
        let durable = ahead.durable[usize::try_from(ahead.range.start).unwrap()];
        log.lock().unwrap().push((ahead.range.clone(), now, durable, ahead.in_flight.len(), ahead.barriers));
    });
    disk.write_at(0, &[IoSlice::new(&[1; 10])]).unwrap();
    disk.write_at(0, &[IoSlice::new(&[2; 10])]).unwrap();
    disk.sync().unwrap();
    disk.write_at(5, &[IoSlice::new(&[3; 10])]).unwrap();
    assert_eq!(*seen.lock().unwrap(), [(0..10, 0, 0, 0, 0), (0..10, 1, 0, 1, 0), (5..15, 2, 2, 0, 1)]);
    // The disk holds the hook and the hook the disk: part them.
    disk.before_write(|_| panic!("never to be written"));
    let write = std::panic::AssertUnwindSafe(|| disk.write_at(0, &[IoSlice::new(b"x")]));
    std::panic::catch_unwind(write).unwrap_err();
    assert_eq!(disk.view().bytes(0, 1), Some(&[2][..]), "the write was not done");
}

/// A store of one number: two slots that hold it in each byte, and a root that names the slot.
mod register {
    use super::{IoSlice, PageStore, SECTOR, StoreError};

    /// What may be wrong with it.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) enum Bug {
        None,
        NoFirstSync,
        NoSecondSync,
        RootFirst,
        SameSlot,
    }

    const SLOT: usize = 2 * SECTOR;
    const ROOT: u64 = 2 * SLOT as u64;
    pub(crate) const LEN: usize = 2 * SLOT + 1;

    fn place(slot: u8) -> u64 {
        u64::from(slot) * SLOT as u64
    }

    pub(crate) fn put(store: &dyn PageStore, number: u8, bug: Bug) -> Result<(), StoreError> {
        let mut root = [0];
        store.read_at(ROOT, &mut root)?;
        let slot = if bug == Bug::SameSlot { root[0] } else { 1 - root[0] };
        if bug == Bug::RootFirst {
            store.write_at(ROOT, &[IoSlice::new(&[slot])])?;
        }
        store.write_at(place(slot), &[IoSlice::new(&[number; SLOT])])?;
        if bug != Bug::NoFirstSync {
            store.sync()?;
        }
        store.write_at(ROOT, &[IoSlice::new(&[slot])])?;
        if bug != Bug::NoSecondSync {
            store.sync()?;
        }
        Ok(())
    }

    /// The number, or `None` if its slot does not hold one number.
    pub(crate) fn get(store: &dyn PageStore) -> Option<u8> {
        let (mut root, mut slot) = ([0], [0; SLOT]);
        store.read_at(ROOT, &mut root).unwrap();
        store.read_at(place(root[0]), &mut slot).unwrap();
        slot.iter().all(|byte| *byte == slot[0]).then_some(slot[0])
    }
}

/// The first outcome of a power cut in three puts that is neither the last number acknowledged nor
/// the one in flight.
fn first_loss(bug: register::Bug) -> Option<PowerCut> {
    let disk = SimDisk::with_bytes(&[0; register::LEN]);
    let mut images = Images::new();
    for number in 1..=3 {
        register::put(&disk, number, bug).unwrap();
        let epochs = disk.take_epochs();
        for (place, epoch) in epochs.iter().enumerate() {
            let acknowledged = if place + 1 == epochs.len() { number } else { number - 1 };
            let strategy = Strategy::for_pages(SECTOR);
            let lost = epoch.each_power_cut(&strategy, |cut| {
                let found = register::get(&images.store(epoch, cut));
                if found.is_some_and(|found| (acknowledged..=number).contains(&found)) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(cut.clone())
                }
            });
            if let ControlFlow::Break(cut) = lost {
                return Some(cut);
            }
        }
    }
    None
}

/// Puts 1; the sync of the root of 2 fails; its owner puts 3 all the same. Whether a power cut can
/// then leave none of the three.
fn loses_after_a_failed_sync(kernel: Kernel, latch: bool) -> bool {
    let disk = SimDisk::with_options(&[0; register::LEN], SimOptions { kernel, latch, ..SimOptions::default() });
    register::put(&disk, 1, register::Bug::None).unwrap();
    disk.take_epochs();
    disk.plan(Plan { call: Some(Call::Sync), nth: 2, fault: Fault::Io, for_ever: false });
    register::put(&disk, 2, register::Bug::None).unwrap_err();
    assert_eq!(register::put(&disk, 3, register::Bug::None).is_err(), latch);

    let mut images = Images::new();
    disk.take_epochs().iter().any(|epoch| {
        let found =
            epoch.each_power_cut(&Strategy::for_pages(SECTOR), |cut| match register::get(&images.store(epoch, cut)) {
                Some(1..=3) => ControlFlow::Continue(()),
                lost => ControlFlow::Break(lost),
            });
        found.is_break()
    })
}

#[test]
fn who_carries_on_after_a_failed_sync_loses_what_was_acknowledged() {
    // The new root can be read and is not durable: the next put writes over what the old one names.
    assert!(loses_after_a_failed_sync(Kernel::CleanNew, false));
    assert!(loses_after_a_failed_sync(Kernel::StaysDirty, false));
    // The cache shows the old root again, so the next put does the right thing by luck.
    assert!(!loses_after_a_failed_sync(Kernel::Reverted, false));
    for kernel in [Kernel::StaysDirty, Kernel::CleanNew, Kernel::Reverted] {
        assert!(!loses_after_a_failed_sync(kernel, true), "the latch keeps {kernel:?} harmless");
    }
}

#[test]
fn the_enumerator_clears_the_right_protocol_and_finds_each_planted_bug() {
    use register::Bug;

    assert!(first_loss(Bug::None).is_none());
    for bug in [Bug::NoFirstSync, Bug::NoSecondSync, Bug::RootFirst, Bug::SameSlot] {
        assert!(first_loss(bug).is_some(), "{bug:?}");
    }
}

/// A truncation that is not durable, and one with a growth after it.
#[test]
fn a_power_cut_loses_a_truncation_or_does_it() {
    const LONG: usize = 256 * 1024;
    const SHORT: usize = 128 * 1024;
    let disk = SimDisk::with_options(&vec![7; LONG], SimOptions { growth_synced: false, ..SimOptions::default() });
    let strategy = Strategy { exhaustive_max: 2, ..Strategy::for_pages(4096).without_in_place() };
    disk.truncate(SHORT as u64).unwrap();
    let [epoch] = &disk.take_epochs()[..] else { panic!("a truncation is no barrier") };
    assert_eq!(images(epoch, &strategy), BTreeSet::from([vec![7; LONG], vec![7; SHORT]]));

    disk.grow(LONG as u64).unwrap();
    let [epoch] = &disk.take_epochs()[..] else { panic!("nothing is synced yet") };
    let zeros = [vec![7; SHORT], vec![0; LONG - SHORT]].concat();
    let found = images(epoch, &Strategy { garbage: false, ..strategy.clone() });
    assert_eq!(found, BTreeSet::from([vec![7; LONG], vec![7; SHORT], zeros.clone()]));
    assert_eq!(images(epoch, &strategy).len(), 4, "what is new may also be garbage");

    disk.sync().unwrap();
    disk.take_epochs();
    disk.write_at(LONG as u64 - 4096, &[IoSlice::new(&[8; 4096])]).unwrap();
    disk.truncate(SHORT as u64).unwrap();
    disk.sync().unwrap();
    let epochs = disk.take_epochs();
    assert_eq!(epochs.last().unwrap().durable(), vec![7; SHORT], "a write past the end is gone with it");
    assert_eq!(epochs[0].durable(), zeros);
}

/// A truncation that fails poisons nothing; a growth after it shows zeros all the same.
#[test]
fn a_failed_truncation_leaves_no_old_bytes() {
    let disk = SimDisk::with_bytes(&vec![7; 256 * 1024]);
    disk.plan(Plan { call: Some(Call::SetLen), nth: 1, fault: Fault::Io, for_ever: false });
    let error = disk.truncate(1000).unwrap_err();
    assert_eq!(error.to_string(), "cannot truncate simulated disk");
    assert_eq!((disk.len(), disk.poisoned()), (32 * 1024, false));
    disk.write_at(0, &[IoSlice::new(b"x")]).unwrap();
    disk.grow(100_000).unwrap();
    let mut new = [1; 1];
    disk.read_at(99_999, &mut new).unwrap();
    assert_eq!(new, [0]);
}
