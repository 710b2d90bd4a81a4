//! Times as keys.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::key::{AsKey, Key};

impl AsKey<Self> for Duration {
    fn encode(&self, last: bool, into: &mut Vec<u8>) {
        (self.as_secs(), self.subsec_nanos()).encode(last, into);
    }
}

impl Key for Duration {
    fn name() -> String {
        "duration".to_owned()
    }

    fn decode(bytes: &mut &[u8], last: bool) -> Option<Self> {
        let (seconds, nanoseconds) = <(u64, u32)>::decode(bytes, last)?;
        (nanoseconds < 1_000_000_000).then(|| Self::new(seconds, nanoseconds))
    }
}

impl AsKey<Self> for SystemTime {
    fn encode(&self, last: bool, into: &mut Vec<u8>) {
        // No system knows a time as far away as 2^63 seconds.
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let (seconds, nanoseconds) = match self.duration_since(UNIX_EPOCH) {
            Ok(after) => (seconds(after), after.subsec_nanos()),
            Err(error) => {
                let before = error.duration();
                match before.subsec_nanos() {
                    0 => (seconds(before).wrapping_neg(), 0),
                    part => (seconds(before).wrapping_neg().saturating_sub(1), 1_000_000_000_u32.saturating_sub(part)),
                }
            }
        };
        (seconds, nanoseconds).encode(last, into);
    }
}

impl Key for SystemTime {
    fn name() -> String {
        "time".to_owned()
    }

    fn decode(bytes: &mut &[u8], last: bool) -> Option<Self> {
        let (seconds, nanoseconds) = <(i64, u32)>::decode(bytes, last)?;
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let start = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
        start?.checked_add(Duration::from_nanos(nanoseconds.into()))
    }
}

#[cfg(feature = "jiff")]
impl AsKey<Self> for jiff::Timestamp {
    fn encode(&self, last: bool, into: &mut Vec<u8>) {
        // Rounded down, also before 1970, where the parts of a second are negative.
        let (seconds, part) = (self.as_second(), self.subsec_nanosecond());
        let seconds = if part < 0 { seconds.saturating_sub(1) } else { seconds };
        let nanoseconds = u32::try_from(part.rem_euclid(1_000_000_000)).unwrap_or_default();
        (seconds, nanoseconds).encode(last, into);
    }
}

/// The name and the form are those of [`SystemTime`]: a table of one is read as the other.
#[cfg(feature = "jiff")]
impl Key for jiff::Timestamp {
    fn name() -> String {
        SystemTime::name()
    }

    fn decode(bytes: &mut &[u8], last: bool) -> Option<Self> {
        let (seconds, nanoseconds) = <(i64, u32)>::decode(bytes, last)?;
        let nanoseconds = i32::try_from(nanoseconds).ok().filter(|nanoseconds| *nanoseconds < 1_000_000_000)?;
        Self::new(seconds, nanoseconds).ok()
    }
}

#[cfg(feature = "jiff")]
impl AsKey<Self> for jiff::civil::Date {
    fn encode(&self, last: bool, into: &mut Vec<u8>) {
        (self.year(), self.month().unsigned_abs(), self.day().unsigned_abs()).encode(last, into);
    }
}

#[cfg(feature = "jiff")]
impl Key for jiff::civil::Date {
    fn name() -> String {
        "date".to_owned()
    }

    fn decode(bytes: &mut &[u8], last: bool) -> Option<Self> {
        let (year, month, day) = <(i16, u8, u8)>::decode(bytes, last)?;
        Self::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    }
}
