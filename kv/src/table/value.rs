//! Values as bytes.
#![allow(clippy::big_endian_bytes, reason = "numbers have one form, as keys and as values")]

use std::borrow::Cow;

use super::key::{Key, parsed};
use crate::error::Result;

/// A type that is the value of a [`Table`](super::Table).
///
/// Strings and bytes are stored as they are and read without a copy. Numbers, `bool` and `char` have the form that they
/// have as [keys](Key). Types of `serde` are [`Serde<T>`](super::Serde), with the feature `serde`.
pub trait Value: 'static {
    /// What reading returns: a slice of the file where the type allows it.
    type Read<'a>;

    /// Returns the name of the type and its form, as it is stored with a table.
    fn name() -> String;

    /// Reads a value; `None` if the bytes are no such value.
    fn decode(bytes: &[u8]) -> Option<Self::Read<'_>>;
}

/// What can be written as a value of type `V`: a `str` as a `String`, a slice as a `Vec<u8>`, and each value as itself.
pub trait AsValue<V> {
    /// Returns the bytes.
    ///
    /// # Errors
    /// [`Error::Unencodable`](crate::Error::Unencodable) if the codec refuses the value.
    fn encode(&self) -> Result<Cow<'_, [u8]>>;
}

impl Value for String {
    type Read<'a> = &'a str;

    fn name() -> String {
        "string".to_owned()
    }

    fn decode(bytes: &[u8]) -> Option<&str> {
        std::str::from_utf8(bytes).ok()
    }
}

impl Value for Vec<u8> {
    type Read<'a> = &'a [u8];

    fn name() -> String {
        "bytes".to_owned()
    }

    fn decode(bytes: &[u8]) -> Option<&[u8]> {
        Some(bytes)
    }
}

macro_rules! byte_strings {
    ($value:ty: $($form:ty $(, $size:ident)?);*) => {$(
        impl $(<const $size: usize>)? AsValue<$value> for $form {
            fn encode(&self) -> Result<Cow<'_, [u8]>> {
                Ok(Cow::Borrowed(self.as_ref()))
            }
        }
    )*};
}

byte_strings!(String: str; String);
byte_strings!(Vec<u8>: [u8]; Vec<u8>; [u8; N], N);

macro_rules! as_keys {
    ($($value:ident)*) => {$(
        impl Value for $value {
            type Read<'a> = Self;

            fn name() -> String {
                <Self as Key>::name()
            }

            fn decode(bytes: &[u8]) -> Option<Self> {
                parsed(bytes)
            }
        }

        impl AsValue<$value> for $value {
            fn encode(&self) -> Result<Cow<'_, [u8]>> {
                Ok(Cow::Owned(super::key::whole::<Self>(self)))
            }
        }
    )*};
}

as_keys!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 bool char);

impl Value for () {
    type Read<'a> = ();

    fn name() -> String {
        "nothing".to_owned()
    }

    fn decode(bytes: &[u8]) -> Option<()> {
        bytes.is_empty().then_some(())
    }
}

impl AsValue<Self> for () {
    fn encode(&self) -> Result<Cow<'_, [u8]>> {
        Ok(Cow::Borrowed(&[]))
    }
}
