//! Fixed-width little-endian integers at an offset, or nothing when the bytes end first.

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Overwrites the bytes at `at` with `value`; says whether they were there.
pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> bool {
    match at.checked_add(value.len()).and_then(|end| bytes.get_mut(at..end)) {
        Some(slot) => {
            slot.copy_from_slice(value);
            true
        }
        None => false,
    }
}
