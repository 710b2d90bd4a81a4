//! Values of any type that `serde` knows.

use std::borrow::Cow;
use std::marker::PhantomData;

use ::serde::Serialize;
use ::serde::de::DeserializeOwned;

use super::value::{AsValue, Value};
use crate::error::{Error, Result};

/// The value type of a table whose values are of a type that `serde` knows, written by a codec: postcard, if nothing else
/// is said. Reading returns a `T`.
///
/// ```
/// use kv::table::{Serde, Table};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, PartialEq, Debug)]
/// struct Person {
///     name: String,
///     born: u16,
/// }
///
/// const PEOPLE: Table<u64, Serde<Person>> = Table::new("people");
///
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| PEOPLE.open(tx)?.put(tx, &1, &Person { name: "Ada".into(), born: 1815 }))?;
/// let ada = db.view(|tx| PEOPLE.read(tx)?.get(&1))?;
/// assert_eq!(ada, Some(Person { name: "Ada".into(), born: 1815 }));
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Debug)]
pub struct Serde<T, C = Postcard>(PhantomData<fn() -> (T, C)>);

/// A codec for the values of [`Serde`].
pub trait Codec {
    /// Its name, as it is stored with a table.
    const NAME: &'static str;

    /// Returns the bytes of a value.
    ///
    /// # Errors
    /// What the codec says.
    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, String>;

    /// Returns the value of the bytes, or `None` if they are no such value.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T>;
}

/// The codec [postcard](https://postcard.jamesmunns.com): compact, with a documented form.
#[derive(Debug)]
pub struct Postcard;

impl Codec for Postcard {
    const NAME: &'static str = "postcard";

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
        postcard::to_stdvec(value).map_err(|error| error.to_string())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
        postcard::take_from_bytes(bytes).ok().filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
    }
}

impl<T: DeserializeOwned + 'static, C: Codec + 'static> Value for Serde<T, C> {
    type Read<'a> = T;

    fn name() -> String {
        C::NAME.to_owned()
    }

    fn decode(bytes: &[u8]) -> Option<T> {
        C::decode(bytes)
    }
}

impl<T: Serialize, C: Codec> AsValue<Serde<T, C>> for T {
    fn encode(&self) -> Result<Cow<'_, [u8]>> {
        C::encode(self).map(Cow::Owned).map_err(|what| Error::Unencodable { codec: C::NAME, what })
    }
}
