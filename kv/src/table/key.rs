//! Keys as bytes that sort as the keys do.
#![allow(clippy::big_endian_bytes, reason = "keys are compared byte by byte, the most significant first")]

/// A type that is the key of a [`Table`](super::Table): its byte form sorts as its values do.
///
/// | type | form |
/// | --- | --- |
/// | `u8` to `u128` | all bytes, the most significant first |
/// | `i8` to `i128` | the same, with the highest bit flipped: negative numbers come first |
/// | `bool` | 0 or 1 |
/// | `char` | as `u32` |
/// | `String`, `Vec<u8>` | at the end of a key its bytes as they are; before another part each 0 as 0 255, then 0 1 |
/// | `[T; N]`, tuples of up to four | the parts, one after the other |
/// | `Option<T>` | 0 for `None`; 1 and the value |
/// | `Duration` | seconds as `u64`, nanoseconds as `u32` |
/// | `SystemTime`, `jiff::Timestamp` (feature `jiff`) | seconds since 1970 as `i64`, rounded down; nanoseconds as `u32` |
/// | `jiff::civil::Date` (feature `jiff`) | the year as `i16`, the month and the day as `u8` |
/// | `uuid::Uuid` (feature `uuid`) | its 16 bytes |
///
/// In the repository, `kv/tests/peers/table.go` reads such keys in Go. A `Table<String, _>` has plain text as keys, as any
/// other program writes it. The format allows no empty key: an empty string alone is
/// [`Error::KeyRequired`](crate::Error::KeyRequired).
///
/// ```
/// use kv::table::{AsKey, Key};
///
/// let form = |key: (i16, &str)| {
///     let mut bytes = Vec::new();
///     AsKey::<(i16, String)>::encode(&key, true, &mut bytes);
///     bytes
/// };
/// assert_eq!(form((-1, "a")), [0x7F, 0xFF, b'a']);
/// assert!(form((-1, "b")) < form((0, "a")));
/// assert_eq!(<(i16, String)>::decode(&mut &form((7, "x"))[..], true), Some((7, "x".to_owned())));
/// ```
pub trait Key: AsKey<Self> + Sized + 'static {
    /// Returns the name of the type, as it is stored with a table.
    fn name() -> String;

    /// Reads a key from the front of `bytes`, and leaves what follows it there. `None` if they are no such key. `last` says
    /// that nothing follows.
    fn decode(bytes: &mut &[u8], last: bool) -> Option<Self>;
}

/// What can be written as a key of type `K`: a `&str` as a `String`, a slice as a `Vec<u8>`, and each key as itself.
pub trait AsKey<K> {
    /// Appends the byte form. `last` says that nothing follows in the key.
    fn encode(&self, last: bool, into: &mut Vec<u8>);
}

impl<K, T: AsKey<K> + ?Sized> AsKey<K> for &T {
    fn encode(&self, last: bool, into: &mut Vec<u8>) {
        (**self).encode(last, into);
    }
}

/// Takes `N` bytes off the front.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*front)
}

macro_rules! unsigned {
    ($($integer:ident)*) => {$(
        impl AsKey<$integer> for $integer {
            fn encode(&self, _last: bool, into: &mut Vec<u8>) {
                into.extend_from_slice(&self.to_be_bytes());
            }
        }

        impl Key for $integer {
            fn name() -> String {
                stringify!($integer).to_owned()
            }

            fn decode(bytes: &mut &[u8], _last: bool) -> Option<Self> {
                take(bytes).map(Self::from_be_bytes)
            }
        }
    )*};
}

unsigned!(u8 u16 u32 u64 u128);

macro_rules! signed {
    ($($integer:ident)*) => {$(
        impl AsKey<$integer> for $integer {
            fn encode(&self, _last: bool, into: &mut Vec<u8>) {
                into.extend_from_slice(&(self ^ $integer::MIN).to_be_bytes());
            }
        }

        impl Key for $integer {
            fn name() -> String {
                stringify!($integer).to_owned()
            }

            fn decode(bytes: &mut &[u8], _last: bool) -> Option<Self> {
                take(bytes).map(|bytes| Self::from_be_bytes(bytes) ^ Self::MIN)
            }
        }
    )*};
}

signed!(i8 i16 i32 i64 i128);

impl AsKey<Self> for bool {
    fn encode(&self, _last: bool, into: &mut Vec<u8>) {
        into.push((*self).into());
    }
}

impl Key for bool {
    fn name() -> String {
        "bool".to_owned()
    }

    fn decode(bytes: &mut &[u8], _last: bool) -> Option<Self> {
        match take(bytes)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl AsKey<Self> for char {
    fn encode(&self, last: bool, into: &mut Vec<u8>) {
        u32::from(*self).encode(last, into);
    }
}

impl Key for char {
    fn name() -> String {
        "char".to_owned()
    }

    fn decode(bytes: &mut &[u8], last: bool) -> Option<Self> {
        u32::decode(bytes, last).and_then(Self::from_u32)
    }
}

/// What stands for a 0 among the bytes of a part that others follow, and what ends it.
const ZERO: [u8; 2] = [0, 0xFF];
const END: [u8; 2] = [0, 1];

fn encode_bytes(bytes: &[u8], last: bool, into: &mut Vec<u8>) {
    if last {
        into.extend_from_slice(bytes);
        return;
    }
    for (index, run) in bytes.split(|&byte| byte == 0).enumerate() {
        if index > 0 {
            into.extend_from_slice(&ZERO);
        }
        into.extend_from_slice(run);
    }
    into.extend_from_slice(&END);
}

fn decode_bytes(bytes: &mut &[u8], last: bool) -> Option<Vec<u8>> {
    if last {
        return Some(std::mem::take(bytes).to_vec());
    }
    let mut found = Vec::new();
    loop {
        let zero = bytes.iter().position(|&byte| byte == 0)?;
        let (run, rest) = bytes.split_at_checked(zero)?;
        found.extend_from_slice(run);
        *bytes = rest;
        match take(bytes)? {
            END => return Some(found),
            ZERO => found.push(0),
            _ => return None,
        }
    }
}

macro_rules! byte_strings {
    ($key:ty, $name:literal: $($form:ty $(, $size:ident)?);*) => {$(
        impl $(<const $size: usize>)? AsKey<$key> for $form {
            fn encode(&self, last: bool, into: &mut Vec<u8>) {
                encode_bytes(AsRef::<[u8]>::as_ref(self), last, into);
            }
        }
    )*};
}

byte_strings!(String, "string": str; String);
byte_strings!(Vec<u8>, "bytes": [u8]; Vec<u8>; [u8; N], N);

impl Key for String {
    fn name() -> String {
        "string".to_owned()
    }

    fn decode(bytes: &mut &[u8], last: bool) -> Option<Self> {
        decode_bytes(bytes, last).and_then(|bytes| Self::from_utf8(bytes).ok())
    }
}

impl Key for Vec<u8> {
    fn name() -> String {
        "bytes".to_owned()
    }

    fn decode(bytes: &mut &[u8], last: bool) -> Option<Self> {
        decode_bytes(bytes, last)
    }
}

impl<K, T: AsKey<K>, const N: usize> AsKey<[K; N]> for [T; N] {
    fn encode(&self, last: bool, into: &mut Vec<u8>) {
        for (index, part) in (1..).zip(self) {
            part.encode(last && index == N, into);
        }
    }
}

impl<K: Key, const N: usize> Key for [K; N] {
    fn name() -> String {
        format!("[{}; {N}]", K::name())
    }

    fn decode(bytes: &mut &[u8], last: bool) -> Option<Self> {
        let parts: Option<Vec<K>> = (1..=N).map(|index| K::decode(bytes, last && index == N)).collect();
        parts?.try_into().ok()
    }
}

impl<K, T: AsKey<K>> AsKey<Option<K>> for Option<T> {
    fn encode(&self, last: bool, into: &mut Vec<u8>) {
        into.push(self.is_some().into());
        if let Some(value) = self {
            value.encode(last, into);
        }
    }
}

impl<K: Key> Key for Option<K> {
    fn name() -> String {
        format!("option({})", K::name())
    }

    fn decode(bytes: &mut &[u8], last: bool) -> Option<Self> {
        if bool::decode(bytes, false)? { K::decode(bytes, last).map(Some) } else { Some(None) }
    }
}

macro_rules! tuples {
    ($(($($part:ident $form:ident),* ; $last:ident $last_form:ident))*) => {$(
        #[allow(non_snake_case, reason = "the parts have the names of their types")]
        impl<$($part, $form: AsKey<$part>,)* $last, $last_form: AsKey<$last>> AsKey<($($part,)* $last,)>
            for ($($form,)* $last_form,)
        {
            fn encode(&self, last: bool, into: &mut Vec<u8>) {
                let ($($part,)* $last,) = self;
                $($part.encode(false, into);)*
                $last.encode(last, into);
            }
        }

        #[allow(non_snake_case, reason = "the parts have the names of their types")]
        impl<$($part: Key,)* $last: Key> Key for ($($part,)* $last,) {
            fn name() -> String {
                let parts = [$($part::name(),)* $last::name()];
                format!("({})", parts.join(", "))
            }

            fn decode(bytes: &mut &[u8], last: bool) -> Option<Self> {
                $(let $part = $part::decode(bytes, false)?;)*
                let $last = $last::decode(bytes, last)?;
                Some(($($part,)* $last,))
            }
        }
    )*};
}

tuples! {
    (; A FormA)
    (A FormA; B FormB)
    (A FormA, B FormB; C FormC)
    (A FormA, B FormB, C FormC; D FormD)
}

/// A key that begins with a part of type `P`: a tuple with its first part, or with its first two as a pair.
pub trait BeginsWith<P> {}

impl<A, B> BeginsWith<A> for (A, B) {}
impl<A, B, C> BeginsWith<A> for (A, B, C) {}
impl<A, B, C> BeginsWith<(A, B)> for (A, B, C) {}
impl<A, B, C, D> BeginsWith<A> for (A, B, C, D) {}
impl<A, B, C, D> BeginsWith<(A, B)> for (A, B, C, D) {}
impl<A, B, C, D> BeginsWith<(A, B, C)> for (A, B, C, D) {}

#[cfg(feature = "uuid")]
impl AsKey<Self> for uuid::Uuid {
    fn encode(&self, _last: bool, into: &mut Vec<u8>) {
        into.extend_from_slice(self.as_bytes());
    }
}

#[cfg(feature = "uuid")]
impl Key for uuid::Uuid {
    fn name() -> String {
        "uuid".to_owned()
    }

    fn decode(bytes: &mut &[u8], _last: bool) -> Option<Self> {
        take(bytes).map(Self::from_bytes)
    }
}

/// The byte form of a key, or of a part of one.
pub(super) fn encoded<K>(key: &(impl AsKey<K> + ?Sized), last: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    key.encode(last, &mut bytes);
    bytes
}

/// The byte form of a whole key.
pub(super) fn whole<K>(key: &(impl AsKey<K> + ?Sized)) -> Vec<u8> {
    encoded(key, true)
}

/// The byte form of the beginning of a key.
pub(super) fn beginning<K>(part: &(impl AsKey<K> + ?Sized)) -> Vec<u8> {
    encoded(part, false)
}

/// The key that these bytes are, with nothing after it.
pub(super) fn parsed<K: Key>(mut bytes: &[u8]) -> Option<K> {
    K::decode(&mut bytes, true).filter(|_| bytes.is_empty())
}
