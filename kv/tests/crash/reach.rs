//! The oracle: no write may touch a page that the last durable meta reaches.
//!
//! Where that holds, no power cut before the next meta can lose anything, whatever subset of the pages in flight it
//! keeps: one look at a write stands for all of them. The oracle reads the format by itself and shares no code with the
//! library. What counts is the *durable* meta, and not the last one written: see what becomes of the difference when a
//! sync fails, or a process dies before it.

use pagefile_std::View;
use pagefile_std::sim::{Ahead, Epoch, SimDisk};

const NO_FREELIST: u64 = u64::MAX;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn size(number: u32) -> usize {
    number as usize
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("a page of a file in memory")
}

/// The meta that a power cut now would lead back to.
#[derive(Clone, Copy)]
struct Winner {
    slot: usize,
    page_size: usize,
    root: u64,
    freelist: u64,
    high_water: u64,
    tx: u64,
    marked: bool,
}

fn meta(bytes: &[u8], slot: usize, page_size: usize) -> Option<Winner> {
    let page = bytes.get(slot * page_size..slot * page_size + 80)?;
    let sum = page[16..72]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let valid = match u32_at(page, 20) {
        2 => u64_at(page, 72) == sum,
        MARKED => bytes.get(slot * page_size..slot * page_size + 512).is_some_and(is_marked),
        _ => false,
    };
    let valid = valid && u32_at(page, 16) == 0xED0C_DAED && size(u32_at(page, 24)) == page_size;
    valid.then(|| Winner {
        slot,
        page_size,
        root: u64_at(page, 32),
        freelist: u64_at(page, 48),
        high_water: u64_at(page, 56),
        tx: u64_at(page, 64),
        marked: u32_at(page, 20) == MARKED,
    })
}

/// The version number of a meta beside a redo log.
const MARKED: u32 = 0x4B56_0002;

/// Whether the checksum of such a meta's sector is right.
fn is_marked(sector: &[u8]) -> bool {
    checksum(&sector[..504]) == u64_at(sector, 504)
}

fn checksum(words: &[u8]) -> u64 {
    words.chunks_exact(8).fold(0xcbf2_9ce4_8422_2325_u64, |sum, word| {
        let sum = (sum ^ u64_at(word, 0)).wrapping_mul(0x0100_0000_01b3);
        sum ^ (sum >> 32)
    })
}

/// Whether both metas of a file say that it has a redo log.
pub(crate) fn is_marked_file(bytes: &[u8], page_size: u32) -> bool {
    let marked = |slot| meta(bytes, slot, size(page_size)).is_some_and(|meta| meta.marked);
    marked(0) && marked(1)
}

/// Gives a unit of a redo log the checksum of its bytes, whatever they say.
pub(crate) fn seal_unit(unit: &mut [u8]) {
    let end = index(u64_at(unit, 16));
    let (head, records) = (checksum(&unit[..32]), checksum(&unit[40..end]));
    let mixed = head.rotate_left(29).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ records;
    let sum = (mixed ^ (mixed >> 32)).wrapping_mul(0x0100_0000_01b3);
    unit[32..40].copy_from_slice(&sum.to_le_bytes());
}

fn winner(bytes: &[u8], page_size: usize) -> Winner {
    let metas = [meta(bytes, 0, page_size), meta(bytes, 1, page_size)];
    // Beside a plain meta a marked one counts for nothing: bbolt does not see it.
    metas.into_iter().flatten().max_by_key(|meta| (!meta.marked, meta.tx)).expect("one meta is always durable")
}

/// The pages that a meta reaches, by number.
fn reached(bytes: &[u8], meta: Winner) -> Vec<bool> {
    let mut pages = vec![false; bytes.len() / meta.page_size];
    let mut waiting = vec![meta.root];
    if meta.freelist != NO_FREELIST {
        waiting.push(meta.freelist);
    }
    waiting.extend(log(bytes, meta));
    while let Some(id) = waiting.pop() {
        let start = index(id) * meta.page_size;
        let (flags, count) = (u16_at(bytes, start + 8), usize::from(u16_at(bytes, start + 10)));
        let own = &mut pages[index(id)..=index(id) + size(u32_at(bytes, start + 12))];
        assert!(!own.contains(&true), "page {id} of what is durable is used twice");
        own.fill(true);
        for element in (start + 16..).step_by(16).take(count) {
            match flags {
                BRANCH => waiting.push(u64_at(bytes, element + 8)),
                LEAF if u32_at(bytes, element) & 1 == 1 => {
                    let value = element + size(u32_at(bytes, element + 4)) + size(u32_at(bytes, element + 8));
                    waiting.extend(Some(u64_at(bytes, value)).filter(|root| *root != 0));
                }
                _ => {}
            }
        }
    }
    pages
}

/// The sector of a meta, if it has an extension that is bound to it.
fn extended(bytes: &[u8], meta: Winner) -> Option<&[u8]> {
    let sector = &bytes[meta.slot * meta.page_size..][..512];
    let body = sector[16..72].iter().chain(&sector[88..]);
    let sum =
        body.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    (sum == u64_at(sector, 80)).then_some(sector)
}

/// Whether the newest meta of a file that begins with these two pages has an extension that is bound to it. Disks write
/// sectors as a whole; these disks may do worse, and tear it.
pub(crate) fn is_extended(metas: &[u8], page_size: u32) -> bool {
    extended(metas, winner(metas, size(page_size))).is_some()
}

/// The pages of the free-space log that a meta names.
fn log(bytes: &[u8], meta: Winner) -> Vec<u64> {
    let Some(sector) = extended(bytes, meta).filter(|sector| sector[88] == 2) else { return Vec::new() };
    let record = &sector[92..][..usize::from(u16_at(sector, 90))];
    let (mut chain, mut next) = (Vec::new(), u64_at(record, 16));
    for _ in 0..u64_at(record, 32) {
        chain.push(next);
        next = u64_at(bytes, index(next) * meta.page_size + 16);
    }
    let mut regions = std::collections::BTreeMap::new();
    let first = u64_at(record, 0);
    if first != 0 {
        let start = index(first) * meta.page_size;
        let len = (1 + size(u32_at(bytes, start + 12))) * meta.page_size;
        regions.extend((0..).zip((start + 16..start + len - 15).step_by(16).map(|at| u64_at(bytes, at))));
    }
    for &page in chain.iter().rev() {
        let start = index(page) * meta.page_size;
        moves(&bytes[start + 40..][..index(u64_at(bytes, start + 32))], &mut regions);
    }
    moves(&record[40..], &mut regions);
    let pages = regions.into_values().chain(chain).chain([first]);
    pages.filter(|page| *page != 0).collect()
}

/// Which page some changes say that the bits of each region have moved to.
fn moves(mut changes: &[u8], regions: &mut std::collections::BTreeMap<u64, u64>) {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let len = bytes.iter().position(|byte| byte & 0x80 == 0).expect("a varint ends") + 1;
        let (varint, rest) = bytes.split_at(len);
        *bytes = rest;
        varint.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7F))
    }
    while !changes.is_empty() {
        let word = varint(&mut changes);
        match word & 7 {
            0 | 1 => {}
            2 | 3 => drop(varint(&mut changes)),
            4 => {
                regions.insert(word >> 3, varint(&mut changes));
                changes = &changes[8..];
            }
            code => panic!("a change has the code {code}"),
        }
    }
}

/// Lets every write to this disk that touches a reachable page panic, those of later handles too.
pub(crate) fn watch(disk: &SimDisk, page_size: u32) {
    let page_size = size(page_size);
    let mut known: Option<(u64, Vec<bool>)> = None;
    disk.before_write(move |ahead: &Ahead<'_>| {
        let pages = match &mut known {
            Some((barriers, pages)) if *barriers == ahead.barriers => pages,
            other => {
                let pages = reached(ahead.durable, winner(ahead.durable, page_size));
                &mut other.insert((ahead.barriers, pages)).1
            }
        };
        for page in index(ahead.range.start) / page_size..index(ahead.range.end).div_ceil(page_size) {
            let free = page < 2 || !pages.get(page).copied().unwrap_or(false);
            assert!(free, "a write to page {page}, which the last durable meta reaches");
        }
    });
}

/// The bytes of a meta page that may have an extension. Of a torn one nothing is left after opening; its meta stays.
const EXTENSION: std::ops::Range<usize> = 80..512;

/// What is wrong with the writes of an epoch to the slot of its durable meta: they may only say the same again, or take
/// away what the extension says.
pub(crate) fn slot_changed(epoch: &Epoch, page_size: u32) -> Option<String> {
    let page_size = size(page_size);
    let durable = epoch.durable();
    let ours = winner(durable, page_size);
    // Where a redo log begins or ends, one meta is plain and one is marked, and both name the newest state.
    let twin =
        meta(durable, ours.slot ^ 1, page_size).filter(|other| other.marked != ours.marked && other.root == ours.root);
    let overwritten = |slot| is_overwritten(epoch, slot, page_size);
    let lost = overwritten(ours.slot) && twin.is_none_or(|twin| overwritten(twin.slot));
    lost.then(|| format!("the slot of the last durable meta, page {}, is overwritten", ours.slot))
}

/// Whether an epoch has writes to a meta page that say anything but the same again.
fn is_overwritten(epoch: &Epoch, slot: usize, page_size: usize) -> bool {
    let durable = epoch.durable();
    let (start, end) = (slot * page_size, (slot + 1) * page_size);
    for (offset, bytes) in epoch.in_flight() {
        let from = index(offset);
        let both = from.max(start)..(from + bytes.len()).min(end);
        let same = |at: usize| {
            let written = bytes[at - from];
            written == durable[at] || (written == 0 && EXTENSION.contains(&(at - start)))
        };
        if !both.clone().all(same) {
            return true;
        }
    }
    false
}

/// What is wrong with the length of a file: each of its metas that is valid must find its pages, for those who fall back to
/// the older one.
pub(crate) fn metas_fit(view: &View<'_>, page_size: u32) -> Option<String> {
    let (page_size, len) = (size(page_size), view.len());
    let metas = view.bytes(0, 2 * page_size).unwrap_or_default();
    let ends = (0..2).filter_map(|slot| meta(metas, slot, page_size)).map(|meta| meta.high_water * page_size as u64);
    ends.into_iter().find(|&end| end > len).map(|end| format!("a meta has pages up to {end} of {len} bytes"))
}

#[cfg(test)]
mod tests {
    use pagefile_std::{MemStore, PageStore};
    use std::io::IoSlice;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn file(sync: kv::FreelistSync) -> Vec<u8> {
        let store = std::sync::Arc::new(MemStore::new());
        let options = kv::Options::new().page_size(1024).freelist_sync(sync);
        let db = options.open_store(Box::new(std::sync::Arc::clone(&store))).unwrap();
        db.update(|tx| tx.create_bucket("a")?.put("overflow", [7; 3000])).unwrap();
        for number in 0..200_u8 {
            db.update(|tx| tx.bucket_mut("a")?.put([number % 40], vec![number; usize::from(number) * 7])).unwrap();
        }
        db.close().unwrap();
        store.snapshot()
    }

    #[test]
    fn a_write_to_a_reachable_page_is_noticed() {
        kv_testkit::program::FREELIST_SYNC.into_iter().for_each(a_write_is_noticed);
    }

    fn a_write_is_noticed(sync: kv::FreelistSync) {
        let bytes = file(sync);
        let meta = winner(&bytes, 1024);
        let pages = reached(&bytes, meta);
        assert!(pages.iter().filter(|page| **page).count() >= 5, "root, list, and a leaf of three pages at least");
        assert_eq!(log(&bytes, meta).len() > 2, sync == kv::FreelistSync::Log, "index, bits and changes");
        for (page, reachable) in pages.iter().enumerate().skip(2) {
            let disk = SimDisk::with_bytes(&bytes);
            watch(&disk, 1024);
            let written = catch_unwind(AssertUnwindSafe(|| {
                disk.write_at(page as u64 * 1024 + 1023, &[IoSlice::new(b"x")]).unwrap();
            }));
            assert_eq!(written.is_err(), *reachable, "page {page}");
        }
    }

    #[test]
    fn a_change_to_the_slot_is_noticed() {
        let bytes = file(kv::FreelistSync::OnClose);
        let slot = winner(&bytes, 1024).slot;
        for page in 0..2 {
            let disk = SimDisk::with_bytes(&bytes);
            disk.write_at(page as u64 * 1024, &[IoSlice::new(&bytes[page * 1024..(page + 1) * 1024])]).unwrap();
            assert_eq!(slot_changed(&disk.take_epochs()[0], 1024), None, "the same bytes");
            disk.write_at(page as u64 * 1024 + 80, &[IoSlice::new(&[0; 432])]).unwrap();
            assert_eq!(slot_changed(&disk.take_epochs()[0], 1024), None, "no extension");
            for at in [70, 90, 600] {
                disk.write_at(page as u64 * 1024 + at, &[IoSlice::new(b"x")]).unwrap();
                assert_eq!(slot_changed(&disk.take_epochs()[0], 1024).is_some(), page == slot, "byte {at}");
            }
        }
    }
}
