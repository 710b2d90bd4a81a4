//! Reads a file by the document, and shares no code with the library.
//!
//! It asserts what the document demands of a file that this library wrote, habits included, and gives every field that
//! it reads a line like those of the document's worked file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The freelist page of a meta that names none.
pub(crate) const NO_FREELIST: u64 = u64::MAX;

/// One state of a file, from the meta in one of the two slots.
#[derive(Default)]
pub(crate) struct Reader<'a> {
    file: &'a [u8],
    page_size: usize,
    /// Whether fields are those of a free-space log.
    pub(crate) in_log: bool,
    /// Lines of the worked log, by offset.
    pub(crate) log_fields: Vec<(usize, String)>,
    /// Lines of the worked file, by offset.
    pub(crate) fields: Vec<(usize, String)>,
    /// What the buckets hold, in order.
    pub(crate) content: Vec<String>,
    /// Pages that the state uses.
    used: BTreeSet<u64>,
    /// How deep the leaves of the tree that is being read are.
    leaf_depth: Option<usize>,
    /// What it has met of branches, runs of pages, inline buckets and long freelists.
    pub(crate) seen: BTreeSet<&'static str>,
}

pub(crate) struct Meta {
    pub(crate) root: u64,
    pub(crate) freelist: u64,
    pub(crate) high_water: u64,
    pub(crate) tx: u64,
}

/// The checksum of a page, or of some pages.
pub(crate) fn checksum(pages: &[u8]) -> u64 {
    let words = pages.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    words.fold(0xcbf2_9ce4_8422_2325, |sum: u64, word| {
        let sum = (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        sum ^ sum >> 32
    })
}

pub(crate) struct Header {
    id: u64,
    pub(crate) flags: u64,
    pub(crate) count: usize,
    overflow: u64,
}

impl<'a> Reader<'a> {
    /// For the redo log of a file, whose metas are no metas to who does not know it.
    pub(crate) fn beside(file: &'a [u8], page_size: usize) -> Self {
        Self { file, page_size, ..Self::default() }
    }

    pub(crate) fn read(file: &'a [u8], slot: usize) -> (Meta, Self) {
        let page_size = usize::try_from(u32::from_le_bytes(file[24..28].try_into().unwrap())).unwrap();
        let mut reader = Self { file, page_size, ..Self::default() };
        let meta = reader.meta(slot * page_size);
        let free = if meta.freelist == NO_FREELIST {
            reader.space_log(slot * page_size, meta.high_water)
        } else {
            Some(reader.freelist(meta.freelist))
        };
        reader.tree(meta.root, "");
        assert!(reader.used.iter().all(|&page| (2..meta.high_water).contains(&page)));
        if let Some(free) = free {
            assert!(free.is_disjoint(&reader.used), "a page is free or used");
            assert_eq!(&free | &reader.used, (2..meta.high_water).collect(), "every page is free or used");
        }
        reader.fields.sort();
        reader.log_fields.sort();
        (meta, reader)
    }

    fn meta(&mut self, at: usize) -> Meta {
        self.header(at);
        assert_eq!(self.number(at + 16, 4, "magic", true), 0xED0C_DAED);
        assert_eq!(self.number(at + 20, 4, "version", false), 2);
        assert!(self.number(at + 24, 4, "page size", false).is_power_of_two());
        assert_eq!(self.number(at + 28, 4, "flags", true), 0);
        let root = self.number(at + 32, 8, "root page", false);
        self.number(at + 40, 8, "root sequence", false);
        let freelist = self.number(at + 48, 8, "freelist page", false);
        let high_water = self.number(at + 56, 8, "high-water mark", false);
        let tx = self.number(at + 64, 8, "transaction id", false);
        let checksum = self.file[at + 16..at + 72].iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        assert_eq!(self.number(at + 72, 8, "checksum", true), checksum);
        if self.file[at + 80..at + 88] == [0; 8] {
            self.zeros(at + 80, at + self.page_size);
        } else {
            self.extension(at);
            if freelist != NO_FREELIST {
                self.seal(at, freelist);
            }
        }
        Meta { root, freelist, high_water, tx }
    }

    /// That the extension of the meta at `at` is bound to it.
    fn extension(&mut self, at: usize) {
        let covered = self.file[at + 16..at + 72].iter().chain(&self.file[at + 88..at + 512]);
        let checksum = covered.fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        assert_eq!(self.number(at + 80, 8, "extension", true), checksum);
    }

    /// The extension of the meta at `at`, which has one record.
    fn seal(&mut self, at: usize, freelist: u64) {
        assert_eq!(self.number(at + 88, 1, "record kind", false), 1);
        assert_eq!(self.number(at + 89, 1, "record version", false), 1);
        assert_eq!(self.number(at + 90, 2, "record length", false), 24);
        assert_eq!(self.number(at + 92, 8, "freelist page", false), freelist);
        let count = self.number(at + 100, 8, "freelist count", false);
        let list = usize::try_from(freelist).unwrap() * self.page_size;
        let word = |at: usize| u64::from_le_bytes(self.file[at..at + 8].try_into().unwrap());
        let header = word(list + 8);
        let pages = usize::try_from(header >> 32).unwrap() + 1;
        assert_eq!(count, if header >> 16 & 0xFFFF == 0xFFFF { word(list + 16) } else { header >> 16 & 0xFFFF });
        let checksum = checksum(&self.file[list..list + pages * self.page_size]);
        assert_eq!(self.number(at + 108, 8, "freelist sum", true), checksum);
        self.seen.insert("seal");
        self.zeros(at + 116, at + self.page_size);
    }

    fn freelist(&mut self, id: u64) -> BTreeSet<u64> {
        let (at, end, header) = self.page(id);
        assert_eq!(header.flags, 0x10);
        let long = header.count == 0xFFFF;
        let (count, first) = if long {
            self.seen.insert("long freelist");
            (usize::try_from(self.number(at + 16, 8, "real count", false)).unwrap(), at + 24)
        } else {
            (header.count, at + 16)
        };
        let ids: Vec<u64> = (0..count).map(|i| self.number(first + 8 * i, 8, &format!("id {i}"), false)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "ids ascend, each once");
        assert!(!long || count >= 0xFFFF);
        self.zeros(first + 8 * count, end);
        ids.into_iter().collect()
    }

    /// A whole tree, those of the buckets in it included.
    fn tree(&mut self, root: u64, path: &str) {
        let outer = self.leaf_depth.take();
        self.node(root, path, 0);
        self.leaf_depth = outer;
    }

    /// A branch or leaf with all below it; returns its first key.
    fn node(&mut self, id: u64, path: &str, depth: usize) -> &'a [u8] {
        let (at, end, header) = self.page(id);
        if header.flags == 2 {
            assert_eq!(*self.leaf_depth.get_or_insert(depth), depth, "leaves are equally deep");
            assert!(depth == 0 || header.count > 0, "only a root may be empty");
            let (data_end, first) = self.leaf(at, header.count, path, false);
            self.zeros(data_end, end);
            return first;
        }
        assert_eq!(header.flags, 1, "branch or leaf");
        assert!(header.count >= 2, "every branch has two children");
        self.seen.insert("branch");
        let mut data = at + 16 + 16 * header.count;
        let mut keys: Vec<&[u8]> = Vec::new();
        for i in 0..header.count {
            let element = at + 16 + 16 * i;
            let pos = self.size(element, &format!("{i} pos"));
            assert_eq!(element + pos, data, "packed");
            let len = self.size(element + 4, &format!("{i} key size"));
            let child = self.number(element + 8, 8, &format!("{i} child"), false);
            let key = self.bytes(data, len, &format!("{i} key"));
            data += len;
            assert_eq!(self.node(child, path, depth + 1), key, "a child's key is its first key");
            keys.push(key);
        }
        assert!(keys.is_sorted_by(|a, b| a < b), "keys ascend");
        self.zeros(data, end);
        keys[0]
    }

    /// The elements behind a leaf's header; returns where their data ends, and the first key.
    fn leaf(&mut self, at: usize, count: usize, path: &str, inline: bool) -> (usize, &'a [u8]) {
        let mut data = at + 16 + 16 * count;
        let mut keys: Vec<&[u8]> = Vec::new();
        for i in 0..count {
            let element = at + 16 + 16 * i;
            let flags = self.number(element, 4, &format!("{i} flags"), true);
            let pos = self.size(element + 4, &format!("{i} pos"));
            assert_eq!(element + pos, data, "packed");
            let key_size = self.size(element + 8, &format!("{i} key size"));
            let value_size = self.size(element + 12, &format!("{i} value size"));
            let key = self.bytes(data, key_size, &format!("{i} key"));
            assert!(!key.is_empty() && flags <= 1);
            data += key_size;
            let name = format!("{path}/{}", key.escape_ascii());
            if flags == 1 {
                assert!(!inline, "an inline bucket holds no buckets");
                self.bucket(data, value_size, &name);
            } else {
                let value = self.bytes(data, value_size, &format!("{i} value"));
                self.content.push(format!("{name} = {}", value.escape_ascii()));
            }
            data += value_size;
            keys.push(key);
        }
        assert!(keys.is_sorted_by(|a, b| a < b), "keys ascend");
        (data, keys.first().copied().unwrap_or_default())
    }

    fn bucket(&mut self, at: usize, len: usize, name: &str) {
        let root = self.number(at, 8, "bucket root", false);
        let sequence = self.number(at + 8, 8, "bucket sequence", false);
        self.content.push(format!("{name} sequence {sequence}"));
        if root != 0 {
            assert_eq!(len, 16);
            return self.tree(root, name);
        }
        self.seen.insert("inline bucket");
        let header = self.header(at + 16);
        assert_eq!((header.id, header.flags, header.overflow), (0, 2, 0));
        assert!(len - 16 <= self.page_size / 4);
        let (end, _) = self.leaf(at + 16, header.count, name, true);
        assert_eq!(end, at + len);
    }

    pub(crate) fn size_of_page(&self) -> usize {
        self.page_size
    }

    pub(crate) fn word(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.file[at..at + 8].try_into().unwrap())
    }

    pub(crate) fn slice(&self, at: usize, len: usize) -> &'a [u8] {
        &self.file[at..at + len]
    }

    /// Where a page begins and its run ends, and its header.
    pub(crate) fn page(&mut self, id: u64) -> (usize, usize, Header) {
        let at = usize::try_from(id).unwrap() * self.page_size;
        let header = self.header(at);
        assert_eq!(header.id, id);
        if header.overflow > 0 {
            self.seen.insert("overflow");
        }
        for page in id..=id + header.overflow {
            assert!(self.used.insert(page), "page {page} is used once");
        }
        let pages = usize::try_from(header.overflow).unwrap() + 1;
        (at, at + pages * self.page_size, header)
    }

    fn header(&mut self, at: usize) -> Header {
        Header {
            id: self.number(at, 8, "id", false),
            flags: self.number(at + 8, 2, "flags", true),
            count: usize::try_from(self.number(at + 10, 2, "count", false)).unwrap(),
            overflow: self.number(at + 12, 4, "overflow", false),
        }
    }

    fn size(&mut self, at: usize, name: &str) -> usize {
        usize::try_from(self.number(at, 4, name, false)).unwrap()
    }

    pub(crate) fn number(&mut self, at: usize, len: usize, name: &str, hex: bool) -> u64 {
        let value = self.file[at..at + len].iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
        let text = if hex { format!("{value:#x}") } else { value.to_string() };
        self.field(at, len, name, &text);
        value
    }

    pub(crate) fn bytes(&mut self, at: usize, len: usize, name: &str) -> &'a [u8] {
        let bytes = &self.file[at..at + len];
        if len <= 8 {
            self.field(at, len, name, &format!("\"{}\"", bytes.escape_ascii()));
        }
        bytes
    }

    pub(crate) fn field(&mut self, at: usize, len: usize, name: &str, value: &str) {
        let hex = self.file[at..at + len].iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x} ").unwrap();
            hex
        });
        let fields = if self.in_log { &mut self.log_fields } else { &mut self.fields };
        fields.push((at, format!("{at:04x}  {hex:<24} {name:<16} {value}")));
    }

    pub(crate) fn zeros(&self, from: usize, to: usize) {
        assert!(self.file[from..to].iter().all(|&byte| byte == 0), "unused bytes are zero");
    }
}
