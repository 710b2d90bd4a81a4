//! Who writes the units of the log, and shows their commits: any thread that waits for them.

use std::io::IoSlice;
use std::sync::Arc;

use freelist_core::TxId;
use pagefile_std::PageStore;

use super::super::Counters;
use super::super::changes::Listeners;
use super::super::published::Published;
use super::queue::{Commit, News, Sink};
use crate::error::Result;
use crate::store::Unit;

/// What a thread needs for it. It keeps nothing open that the owner of the database has dropped.
#[derive(Debug)]
pub(crate) struct LogSink {
    pub(super) store: Arc<dyn PageStore>,
    pub(super) counters: Arc<Counters>,
    published: Arc<Published>,
    listeners: Arc<Listeners>,
}

impl LogSink {
    pub(crate) fn new(
        store: &Arc<dyn PageStore>,
        published: &Arc<Published>,
        counters: &Arc<Counters>,
        listeners: &Arc<Listeners>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            counters: Arc::clone(counters),
            published: Arc::clone(published),
            listeners: Arc::clone(listeners),
        }
    }
}

impl Sink for LogSink {
    fn write(&self, unit: &Unit) -> Result<()> {
        write_unit(&*self.store, unit)
    }

    fn show(&self, unit: &Unit, commits: Vec<Commit>) {
        let news = || commits.iter().filter_map(|commit| commit.news.as_ref());
        if let Some(newest) = news().next_back() {
            self.published.publish(newest.snapshot);
        }
        let records = commits.iter().map(|commit| commit.bytes).fold(0, u64::saturating_add);
        self.counters.add_writes(unit.parts().count() as u64, unit.len().saturating_sub(records));
        for (tx, news) in commits.into_iter().filter_map(|commit| Some((commit.tx, commit.news?))) {
            let News { mut stats, changes, since, .. } = news;
            stats.write_time = since.elapsed();
            self.counters.add(&stats);
            self.listeners.tell(TxId::new(tx), changes.as_ref());
        }
    }
}

pub(super) fn write_unit(store: &dyn PageStore, unit: &Unit) -> Result<()> {
    for (at, part) in unit.parts() {
        assert!(at.is_multiple_of(512), "what is written round and round are whole sectors");
        store.write_durable_at(at, &[IoSlice::new(part)])?;
    }
    Ok(())
}
