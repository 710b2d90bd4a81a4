//! Arguments that name a bucket or a key: bucket names, outermost first, then the key.

use clap::Args;
use kv::{Bucket, BucketMut, Error, ReadTx, WriteTx};

use crate::failure::{Failure, Result};
use crate::notation::{Parse, named, quoted_or_hex};

/// How bucket names are written.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct BucketFormat {
    /// How bucket names are written on the command line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    bucket_format: Parse,
}

impl BucketFormat {
    pub(crate) fn names(self, args: &[String]) -> Result<Vec<Vec<u8>>> {
        args.iter().map(|name| Ok(self.bucket_format.bytes(name)?)).collect()
    }

    /// Bucket names, at least one, and a last argument.
    pub(crate) fn names_and_last(self, args: &[String]) -> Result<(Vec<Vec<u8>>, &str)> {
        match args.split_last() {
            Some((last, names)) if !names.is_empty() => Ok((self.names(names)?, last)),
            _ => Err(Failure::Usage("give a bucket and a key: FILE BUCKET... KEY".into())),
        }
    }
}

/// The bucket at `path`; for an empty path, the root bucket, which holds all others.
pub(crate) fn bucket<'t>(tx: &'t ReadTx<'_>, path: &[Vec<u8>]) -> Result<Bucket<'t>> {
    path.iter().enumerate().try_fold(tx.root(), |bucket, (depth, name)| {
        bucket.bucket(name).map_err(|error| match error {
            Error::BucketNotFound { .. } => {
                let there = |other: &[u8]| bucket.get_bucket(other).map(|found| found.is_some());
                no_bucket(name, path.get(..depth).unwrap_or_default(), there)
            }
            Error::IncompatibleValue { .. } => {
                Failure::Problem(format!("{} is a key, not a bucket: `kv get` prints its value", quoted_or_hex(name)))
            }
            other => other.into(),
        })
    })
}

fn no_bucket(name: &[u8], parent: &[Vec<u8>], there: impl FnOnce(&[u8]) -> kv::Result<bool>) -> Failure {
    let place = if parent.is_empty() { String::new() } else { format!(" in {:?}", shown(parent)) };
    let remedy = meant(name, "buckets", there);
    Failure::Problem(format!("there is no bucket {}{place}: {remedy}", quoted_or_hex(name)))
}

/// The bucket at `path` has no such key. `there` tells whether it has another.
pub(crate) fn no_key(key: &[u8], path: &[Vec<u8>], there: impl FnOnce(&[u8]) -> kv::Result<bool>) -> Failure {
    let (remedy, key, bucket) = (meant(key, "keys", there), quoted_or_hex(key), shown(path));
    Failure::Problem(format!("there is no key {key} in bucket {bucket:?}: {remedy}"))
}

/// What to do about a name that is not there. Hex digits without `hex:` are text, and may have been meant as bytes.
fn meant(name: &[u8], command: &str, there: impl FnOnce(&[u8]) -> kv::Result<bool>) -> String {
    let bytes = hex::decode(name).ok().filter(|bytes| there(bytes).unwrap_or(false));
    match bytes.map(|bytes| named(&bytes)) {
        Some(found) => format!("these digits are text; there is {found:?}"),
        None => format!("`kv {command}` lists those there are"),
    }
}

/// The bucket at `path`, to change. A path has at least one name.
pub(crate) fn bucket_mut<'t>(tx: &'t mut WriteTx<'_>, path: &[Vec<u8>]) -> kv::Result<BucketMut<'t>> {
    let (first, rest) = path.split_first().ok_or(Error::BucketNameRequired)?;
    rest.iter().try_fold(tx.bucket_mut(first)?, BucketMut::into_bucket_mut)
}

/// The bucket at `path`. Creates it and the buckets around it if they do not exist.
pub(crate) fn create<'t>(tx: &'t mut WriteTx<'_>, path: &[Vec<u8>]) -> kv::Result<BucketMut<'t>> {
    let (first, rest) = path.split_first().ok_or(Error::BucketNameRequired)?;
    let mut bucket = tx.create_bucket_if_absent(first)?;
    for name in rest {
        bucket.create_bucket_if_absent(name)?;
        bucket = bucket.into_bucket_mut(name)?;
    }
    Ok(bucket)
}

/// A path in messages.
fn shown(path: &[Vec<u8>]) -> String {
    path.iter().map(|name| named(name)).collect::<Vec<_>>().join("/")
}
