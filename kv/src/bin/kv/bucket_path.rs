//! Arguments that name a bucket or a key: bucket names from the outermost, then the key.

use clap::Args;
use kv::{Bucket, BucketMut, ReadTx, WriteTx};

use crate::failure::{Failure, Result};
use crate::notation::{Parse, text_or_hex};

/// How bucket names are written.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct BucketFormat {
    /// How bucket names are written on the command line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    bucket_format: Parse,
}

impl BucketFormat {
    pub(crate) fn names(self, args: &[String]) -> Result<Vec<Vec<u8>>> {
        args.iter().map(|name| self.bucket_format.bytes(name)).collect()
    }

    /// Bucket names, at least one, and a last argument.
    pub(crate) fn names_and_last(self, args: &[String]) -> Result<(Vec<Vec<u8>>, &str)> {
        match args.split_last() {
            Some((last, names)) if !names.is_empty() => Ok((self.names(names)?, last)),
            _ => Err(Failure::Usage("a bucket and a key are needed: FILE BUCKET... KEY".into())),
        }
    }
}

/// The bucket at `path`; the one that holds all others for an empty path.
pub(crate) fn bucket<'t>(tx: &'t ReadTx<'_>, path: &[Vec<u8>]) -> kv::Result<Bucket<'t>> {
    path.iter().try_fold(tx.root(), |bucket, name| bucket.bucket(name))
}

/// The bucket at `path`, to change. A path has at least one name.
pub(crate) fn bucket_mut<'t>(tx: &'t mut WriteTx<'_>, path: &[Vec<u8>]) -> kv::Result<BucketMut<'t>> {
    let (first, rest) = path.split_first().ok_or(kv::Error::BucketNameRequired)?;
    rest.iter().try_fold(tx.bucket_mut(first)?, BucketMut::into_bucket_mut)
}

/// The bucket at `path`, created with those around it where they are not there.
pub(crate) fn create<'t>(tx: &'t mut WriteTx<'_>, path: &[Vec<u8>]) -> kv::Result<BucketMut<'t>> {
    let (first, rest) = path.split_first().ok_or(kv::Error::BucketNameRequired)?;
    let mut bucket = tx.create_bucket_if_absent(first)?;
    for name in rest {
        bucket.create_bucket_if_absent(name)?;
        bucket = bucket.into_bucket_mut(name)?;
    }
    Ok(bucket)
}

/// For messages.
pub(crate) fn shown(path: &[Vec<u8>]) -> String {
    path.iter().map(|name| text_or_hex(name)).collect::<Vec<_>>().join("/")
}
