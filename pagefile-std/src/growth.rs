//! How long to make a store that must be longer.

/// The smallest length: eight of the commonest pages, so that a small file is made in one go.
const LEN_MIN: u64 = 32 * 1024;
/// From here on a store grows by this much at a time.
const STEP: u64 = 16 * 1024 * 1024;

const _: () = assert!(STEP.is_power_of_two() && STEP.is_multiple_of(LEN_MIN), "steps begin where doubling ends");

/// The length to grow to for at least `min_len` bytes: powers of two from 32 KiB up to 16 MiB,
/// then the next multiple of 16 MiB; `min_len` itself where that would overflow.
///
/// bbolt grows in the same way (doubling to 16 MiB, then 16 MiB beyond the need). Each growth costs a
/// sync. Doubling needs few of them while the file is small. In a large file the constant step bounds
/// the unused space, and one sync for 16 MiB of new pages is cheap. Multiples keep the length aligned
/// to every page size.
pub(crate) fn grown_len(min_len: u64) -> u64 {
    let len = if min_len <= STEP {
        min_len.next_power_of_two().max(LEN_MIN)
    } else {
        min_len.checked_next_multiple_of(STEP).unwrap_or(min_len)
    };
    assert!(len >= min_len, "growth gives at least the length asked for");
    assert!(len - min_len < STEP, "growth adds less than one step to the need");
    assert!(len.is_multiple_of(LEN_MIN) || len == min_len, "a grown length is a whole number of pages");
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    const KI: u64 = 1024;
    const MI: u64 = 1024 * KI;

    #[test]
    fn doubles_then_steps() {
        for (min_len, len) in [
            (0, 32 * KI),
            (1, 32 * KI),
            (32 * KI, 32 * KI),
            (32 * KI + 1, 64 * KI),
            (9 * MI, 16 * MI),
            (16 * MI, 16 * MI),
            (16 * MI + 1, 32 * MI),
            (33 * MI, 48 * MI),
            (1024 * MI + 1, 1040 * MI),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(grown_len(min_len), len, "{min_len}");
        }
    }

    #[test]
    fn is_never_too_short_and_wastes_at_most_one_step_or_half() {
        for min_len in (0..200 * MI).step_by(12_345) {
            let len = grown_len(min_len);
            assert!(len >= min_len && len.is_multiple_of(LEN_MIN));
            assert!(len <= LEN_MIN.max(2 * min_len) && len - min_len < STEP.max(LEN_MIN));
            assert_eq!(grown_len(len), len);
        }
    }
}
