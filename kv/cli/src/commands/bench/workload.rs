//! What `kv bench` writes and reads.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::failure::{Failure, Result};

/// The bucket that holds all keys, or the nested buckets with the keys.
pub(super) const BUCKET: &str = "bench";

/// How many keys, how large, in which order.
#[derive(Debug, Args)]
pub(super) struct Workload {
    /// Order of the keys: sequential or random, also in nested buckets; `seq-del` deletes a tenth of them again
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub(super) write_mode: WriteMode,

    /// Read all keys in order, or each in random order
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub(super) read_mode: ReadMode,

    /// How many keys to write
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: u64,

    /// Keys in a transaction, a divisor of the count; 0 for all in one
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    pub(super) batch_size: u64,

    /// Bytes of a key, at least 4
    #[arg(long, default_value_t = 8, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(4..=32768))]
    pub(super) key_size: u16,

    /// Bytes of a value
    #[arg(long, default_value_t = 32, value_name = "BYTES")]
    pub(super) value_size: u32,

    /// How full to leave pages that split, 0.1 to 1.0 [default: depends on the order of the keys]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(super) fill_percent: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(super) enum WriteMode {
    #[default]
    Seq,
    Rnd,
    SeqNest,
    RndNest,
    SeqDel,
}

impl WriteMode {
    pub(super) const fn nests(self) -> bool {
        matches!(self, Self::SeqNest | Self::RndNest)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(super) enum ReadMode {
    #[default]
    Seq,
    Rnd,
}

/// How many operations, in what time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) operations: u64,
    pub(super) elapsed: Duration,
}

impl Workload {
    /// Keys in one transaction.
    pub(super) const fn batch(&self) -> u64 {
        if self.batch_size == 0 { self.count } else { self.batch_size }
    }

    /// The count must be a multiple of the batch.
    pub(super) fn validate(&self) -> Result<()> {
        if self.count.is_multiple_of(self.batch()) {
            return Ok(());
        }
        Err(Failure::Usage("--batch-size must divide --count".into()))
    }
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.1..=1.0).contains(share))
        .ok_or_else(|| "not a share from 0.1 to 1.0".to_owned())
}
