//! Reads the free-space log of a file by the document.

use std::collections::{BTreeMap, BTreeSet};

use crate::reader::{Reader, checksum};

/// Page and checksum.
type Sum = (u64, u64);

impl Reader<'_> {
    /// The free pages of the state whose meta is at `at`; none if it names no log.
    pub(crate) fn space_log(&mut self, at: usize, high_water: u64) -> Option<BTreeSet<u64>> {
        if self.word(at + 80) == 0 {
            return None;
        }
        self.in_log = true;
        assert_eq!(self.number(at + 88, 1, "record kind", false), 2);
        assert_eq!(self.number(at + 89, 1, "record version", false), 1);
        let len = usize::try_from(self.number(at + 90, 2, "record length", false)).unwrap();
        let index = (self.number(at + 92, 8, "index", false), self.number(at + 100, 8, "index sum", true));
        let newest = (self.number(at + 108, 8, "newest log page", false), self.number(at + 116, 8, "its sum", true));
        let pages = self.number(at + 124, 8, "log pages", false);
        let mut regions = self.index(index);
        let mut changes = self.log_pages(newest, pages);
        changes.extend(self.changes(at + 132, at + 92 + len));
        self.zeros(at + 92 + len, at + self.size_of_page());
        for &(region, moved) in changes.iter().filter_map(|change| change.moved.as_ref()) {
            regions.insert(region, moved);
        }
        let mut free = BTreeSet::new();
        for (region, sum) in regions {
            self.region(region, sum, &mut free);
        }
        for change in changes.iter().filter(|change| change.moved.is_none()) {
            for page in change.first..change.first + change.pages {
                if change.free {
                    free.insert(page)
                } else {
                    free.remove(&page)
                };
            }
        }
        self.in_log = false;
        assert!(free.iter().all(|&page| (2..high_water).contains(&page)));
        Some(free)
    }

    /// The first byte of a page of the log, and the byte after its last.
    fn log_page(&mut self, sum: Sum, part: usize) -> (usize, usize) {
        let (at, end, header) = self.page(sum.0);
        assert_eq!((header.flags, header.count), (0x20, part));
        assert_eq!(checksum(self.slice(at, end - at)), sum.1, "page {}", sum.0);
        (at, end)
    }

    fn index(&mut self, sum: Sum) -> BTreeMap<u64, Sum> {
        if sum.0 == 0 {
            return BTreeMap::new();
        }
        let (at, end) = self.log_page(sum, 2);
        let entries = (0..).zip((at + 16..end).step_by(16));
        let taken = entries.filter(|&(_, at)| self.word(at) != 0).collect::<Vec<_>>();
        self.seen.insert("index");
        let mut entry = |at| (self.number(at, 8, "region page", false), self.number(at + 8, 8, "its sum", true));
        taken.into_iter().map(|(region, at)| (region, entry(at))).collect()
    }

    fn region(&mut self, region: u64, sum: Sum, free: &mut BTreeSet<u64>) {
        if sum.0 == 0 {
            return;
        }
        let (at, end) = self.log_page(sum, 1);
        let first = region * 8 * (self.size_of_page() as u64 - 16);
        for (byte, at) in (0..).zip(at + 16..end) {
            let bits = self.slice(at, 1)[0];
            if bits != 0 {
                self.field(at, 1, "bits", &format!("{bits:#010b}"));
            }
            free.extend((0..8).filter(|bit| bits >> bit & 1 == 1).map(|bit| first + byte * 8 + bit));
        }
    }

    fn log_pages(&mut self, newest: Sum, pages: u64) -> Vec<Change> {
        let (mut next, mut chain) = (newest, Vec::new());
        for _ in 0..pages {
            let (at, end) = self.log_page(next, 3);
            next = (self.number(at + 16, 8, "log page before", false), self.number(at + 24, 8, "its sum", true));
            let len = usize::try_from(self.number(at + 32, 8, "bytes", false)).unwrap();
            chain.push(self.changes(at + 40, at + 40 + len));
            self.zeros(at + 40 + len, end);
            self.seen.insert("log page");
        }
        chain.into_iter().rev().flatten().collect()
    }

    fn changes(&mut self, from: usize, end: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut at = from;
        while at < end {
            let start = at;
            let word = self.varint(&mut at);
            let (number, code) = (word >> 3, word & 7);
            let mut change = Change { first: number, pages: 1, free: code % 2 == 0, moved: None };
            let text = match code {
                0 | 1 => format!("page {number}"),
                2 | 3 => {
                    change.pages = self.varint(&mut at);
                    format!("pages {number} to {}", number + change.pages - 1)
                }
                4 => {
                    let page = self.varint(&mut at);
                    let sum = self.word(at);
                    at += 8;
                    change.moved = Some((number, (page, sum)));
                    self.seen.insert("region moved");
                    format!("region {number} in page {page}, {sum:#x}")
                }
                _ => panic!("change with code {code}"),
            };
            let name = match code {
                4 => "moved",
                _ if change.free => "free",
                _ => "in use",
            };
            if at - start <= 8 {
                self.field(start, at - start, name, &text);
            }
            changes.push(change);
        }
        assert_eq!(at, end, "changes end with their bytes");
        changes
    }

    fn varint(&self, at: &mut usize) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.slice(*at, 1)[0];
            *at += 1;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
}

struct Change {
    first: u64,
    pages: u64,
    free: bool,
    moved: Option<(u64, Sum)>,
}
