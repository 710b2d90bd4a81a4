//! Room between the element table and the data of a node that gets one element after the other.
//!
//! In packed form an insertion moves all data: what lies behind it by its own length, and the rest by an element of the table.
//! A node that has room takes the element into the room, and its data to the end of the bytes, in the order in which they come;
//! so nothing moves but the rest of the table. Before such a node is cut, joined or written it is packed again, which costs
//! about as much as a few packed insertions. So a node that a small transaction changes once or twice stays packed.

use super::{DirtyNode, distance};
use crate::format::{ELEMENT, element_at};

/// So many insertions are made in packed form before a node gets room.
const STAYS_PACKED: u8 = 2;

/// The most elements that room is made for at once.
const ROOM: u8 = 16;

/// A node stays packed if it is larger: what is copied to pack it is no small thing then.
const LARGE: usize = 128 << 10;

impl DirtyNode {
    /// Whether the data follow the element table in the order of the elements, with nothing between. O(1).
    pub(crate) const fn is_packed(&self) -> bool {
        self.room == 0 && !self.unordered
    }

    /// Bytes between the element table and the data.
    pub(super) const fn room_bytes(&self) -> usize {
        self.room as usize * ELEMENT
    }

    /// Counts an insertion, of `len` bytes of data, and says whether it is to use room. If not, the node is packed.
    pub(super) fn uses_room(&mut self, len: usize) -> bool {
        if self.bytes.len() + len > LARGE {
            self.pack(Vec::new());
            return false;
        }
        self.inserted = self.inserted.saturating_add(1);
        self.inserted > STAYS_PACKED
    }

    /// Makes place for an element at `index` with `len` bytes of data, which go to the end; returns where.
    pub(super) fn open_at_end(&mut self, index: usize, len: usize) -> usize {
        if self.room == 0 {
            self.make_room(len);
        }
        let (at, table, end) = (element_at(index), element_at(self.count), self.bytes.len());
        assert!(at <= table && self.room > 0, "an element goes into the table, which has room");
        self.bytes.copy_within(at..table, at + ELEMENT);
        self.room -= 1;
        self.bytes.resize(end + len, 0);
        self.unordered |= index != self.count;
        self.set_count(self.count + 1);
        // Positions count from the element.
        self.shift_positions(index + 1, self.count, distance(ELEMENT, 0));
        end
    }

    /// Moves the data back, as far as the buffer allows, but for one element at least.
    fn make_room(&mut self, len: usize) {
        let (table, end) = (element_at(self.count), self.bytes.len());
        let spare = self.bytes.capacity().saturating_sub(end + len) / ELEMENT;
        self.room = u8::try_from(spare).unwrap_or(ROOM).clamp(1, ROOM);
        let room = self.room_bytes();
        self.bytes.resize(end + room, 0);
        self.bytes.copy_within(table..end, table + room);
        self.shift_positions(0, self.count, distance(0, room));
    }

    /// Brings the bytes into packed form. Data that are out of order are put in order in `scratch`, and the buffer that this
    /// leaves, or `scratch`, is returned. O(bytes).
    pub(crate) fn pack(&mut self, mut scratch: Vec<u8>) -> Vec<u8> {
        let (table, size) = (element_at(self.count), self.size());
        if self.unordered {
            scratch.clear();
            scratch.reserve_exact(size);
            scratch.extend_from_slice(&self.bytes[..table]);
            for index in 0..self.count {
                let (start, end, to) = (self.data_start(index), self.data_end(index), scratch.len());
                scratch.extend_from_slice(&self.bytes[start..end]);
                let at = element_at(index) + self.position_at();
                scratch[at..at + 4].copy_from_slice(&distance(element_at(index), to).to_le_bytes());
            }
            std::mem::swap(&mut self.bytes, &mut scratch);
        } else if self.room > 0 {
            let room = self.room_bytes();
            self.shift_positions(0, self.count, distance(room, 0));
            self.bytes.copy_within(table + room.., table);
            self.bytes.truncate(size);
        }
        (self.room, self.unordered) = (0, false);
        assert_eq!(self.bytes.len(), size, "packing loses no byte and adds none");
        debug_assert!(self.lies_packed(), "a packed node has no gaps");
        scratch
    }
}
