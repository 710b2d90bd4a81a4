//! Reads the redo log of a file by the document.

use crate::reader::{Reader, checksum};

/// What begins anew with each life of a file, so that no two files agree on it.
const OF_ONE_LIFE: [&str; 4] = ["epoch", "chain", "checksum", "next chain"];

/// Whether a line of the document shows something that each file has its own of.
pub(crate) fn is_of_one_life(line: &str) -> bool {
    OF_ONE_LIFE.iter().any(|name| line[30..].trim_start().starts_with(name))
}

/// Two numbers made one.
fn mix(a: u64, b: u64) -> u64 {
    let mixed = a.rotate_left(29).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b;
    (mixed ^ mixed >> 32).wrapping_mul(0x100_0000_01b3)
}

impl Reader<'_> {
    /// Reads the marked meta of page `slot`, and the units after its checkpoint. What these say, a line each.
    pub(crate) fn redo_log(&mut self, slot: usize) -> Vec<String> {
        let at = slot * self.size_of_page();
        assert_eq!(self.number(at + 16, 4, "magic", true), 0xED0C_DAED);
        assert_eq!(self.number(at + 20, 4, "version", true), 0x4B56_0002);
        self.number(at + 24, 4, "page size", false);
        assert_eq!(self.number(at + 28, 4, "flags", false), 0);
        self.number(at + 32, 8, "root page", false);
        self.number(at + 40, 8, "root sequence", false);
        assert_eq!(self.number(at + 48, 8, "freelist page", true), u64::MAX);
        let high_water = self.number(at + 56, 8, "high-water mark", false);
        self.number(at + 64, 8, "transaction id", false);
        let first = self.number(at + 72, 8, "log", false);
        let pages = self.number(at + 80, 8, "pages of it", false);
        assert!(first >= 2 && first + pages <= high_water);
        let epoch = self.number(at + 88, 8, "epoch", true);
        let position = self.number(at + 96, 8, "position", false);
        let chain = self.number(at + 104, 8, "chain", true);
        self.zeros(at + 112, at + 504);
        let sum = self.number(at + 504, 8, "checksum", true);
        assert_eq!(sum, checksum(self.slice(at, 504)));
        let page = self.size_of_page();
        let (log, len) = (usize::try_from(first).unwrap() * page, usize::try_from(pages).unwrap() * page);
        self.units((log, len), (epoch, position, chain))
    }

    fn units(&mut self, (log, len): (usize, usize), (epoch, mut position, mut chain): (u64, u64, u64)) -> Vec<String> {
        let mut changes = Vec::new();
        loop {
            let at = log + usize::try_from(position).unwrap() % len;
            if (self.word(at), self.word(at + 8)) != (epoch, position) {
                return changes;
            }
            self.number(at, 8, "epoch", true);
            self.number(at + 8, 8, "position", false);
            let end = at + usize::try_from(self.number(at + 16, 8, "length", false)).unwrap();
            assert_eq!(self.number(at + 24, 8, "chain", true), chain);
            let sum = self.number(at + 32, 8, "checksum", true);
            assert_eq!(sum, mix(checksum(self.slice(at, 32)), checksum(self.slice(at + 40, end - at - 40))));
            let tx = self.number(at + 40, 8, "transaction id", false);
            let behind = at + 52 + usize::try_from(self.number(at + 48, 4, "record length", false)).unwrap();
            changes.push(format!("transaction {tx}"));
            self.record(at + 52, behind, &mut changes);
            let block = self.size_of_page().max(4096);
            let filled = (end - at).next_multiple_of(block);
            self.zeros(behind, at + filled);
            chain = mix(chain, sum);
            position += filled as u64;
        }
    }

    fn record(&mut self, mut at: usize, end: usize, changes: &mut Vec<String>) {
        while at < end {
            let kind = self.number(at, 1, "change", false);
            at += 1;
            let line = match kind {
                1 => format!("bucket {}", self.path(&mut at)),
                2 => format!("put {} = {}", self.text(&mut at, "key"), self.text(&mut at, "value")),
                3 => format!("delete {}", self.text(&mut at, "key")),
                5 => {
                    at += 8;
                    format!("sequence {}", self.number(at - 8, 8, "sequence", false))
                }
                6 => "create".into(),
                7 => "delete bucket".into(),
                8 => format!("move to {}", self.path(&mut at)),
                other => panic!("a change of kind {other}"),
            };
            changes.push(line);
        }
        assert_eq!(at, end, "a record ends with its last change");
    }

    fn path(&mut self, at: &mut usize) -> String {
        let count = self.number(*at, 4, "names", false);
        *at += 4;
        (0..count).map(|_| self.text(at, "name")).collect::<Vec<_>>().join("/")
    }

    fn text(&mut self, at: &mut usize, name: &str) -> String {
        let len = usize::try_from(self.number(*at, 4, "length", false)).unwrap();
        *at += 4 + len;
        self.bytes(*at - len, len, name).escape_ascii().to_string()
    }
}
