//! The watches of one stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tonic::{Status, Streaming};

use super::message::{self, NO_WATCH};
use super::woken::Woken;
use crate::api::errors::{WATCH_CANCELED, of_store, refuse};
use crate::api::node::Node;
use crate::api::proto::etcdserverpb::watch_create_request::FilterType;
use crate::api::proto::etcdserverpb::watch_request::RequestUnion;
use crate::api::proto::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use crate::mvcc::{self, WatchUpdate, Watcher};

const DUPLICATE: &str = "mvcc: duplicate watch ID provided on the WatchStream";

/// A watch of the stream.
struct Watch {
    watcher: Watcher,
    /// The first revision that it is about.
    start: i64,
    fragment: bool,
}

pub(super) struct Stream<'a> {
    node: &'a Node,
    sender: &'a mpsc::Sender<Result<WatchResponse, Status>>,
    watches: BTreeMap<i64, Watch>,
    woken: Arc<Woken>,
    /// The next name that the server gives.
    next_id: i64,
    /// Whether the client waits to hear how far its watches are.
    progress_wanted: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(node: &'a Node, sender: &'a mpsc::Sender<Result<WatchResponse, Status>>) -> Self {
        Self { node, sender, watches: BTreeMap::new(), woken: Arc::default(), next_id: 0, progress_wanted: false }
    }

    /// Until the client leaves or the node stops. A client that has no more requests still hears its watches.
    pub(super) async fn serve(mut self, mut requests: Streaming<WatchRequest>) -> Result<(), Status> {
        let mut listening = true;
        let woken = Arc::clone(&self.woken);
        loop {
            tokio::select! {
                () = self.sender.closed() => return Ok(()),
                () = self.node.stopped() => return Err(of_store(&mvcc::Error::Stopped)),
                request = requests.message(), if listening => match request {
                    Ok(Some(request)) => self.take(request).await?,
                    Ok(None) => listening = false,
                    Err(_) => return Err(refuse(WATCH_CANCELED)),
                },
                id = woken.next() => self.tell(id).await?,
            }
            self.tell_progress().await?;
        }
    }

    async fn take(&mut self, request: WatchRequest) -> Result<(), Status> {
        match request.request_union {
            Some(RequestUnion::CreateRequest(request)) => self.create(request).await,
            Some(RequestUnion::CancelRequest(request)) => match self.watches.remove(&request.watch_id) {
                Some(_) => self.send(message::canceled(self.node, request.watch_id, String::new())).await,
                None => Ok(()),
            },
            Some(RequestUnion::ProgressRequest(_)) => {
                self.progress_wanted = true;
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn create(&mut self, request: WatchCreateRequest) -> Result<(), Status> {
        let id = match request.watch_id {
            0 => self.free_id(),
            id if id == NO_WATCH || self.watches.contains_key(&id) => {
                return self.send(message::not_created(self.node, DUPLICATE.to_owned())).await;
            }
            id => id,
        };
        if request.start_revision < 0 {
            return self.send(message::not_created(self.node, mvcc::Error::Compacted.to_string())).await;
        }
        let filtered = |filter: FilterType| request.filters.contains(&filter.into());
        let (no_put, no_delete) = (filtered(FilterType::Noput), filtered(FilterType::Nodelete));
        let wish = mvcc::WatchRequest {
            key: request.key,
            range_end: request.range_end,
            start_revision: request.start_revision,
            progress_notify: request.progress_notify,
            prev_kv: request.prev_kv,
            no_put,
            no_delete,
        };
        assert!(id != NO_WATCH && !self.watches.contains_key(&id), "a new watch has an id of its own");
        let woken = Arc::clone(&self.woken);
        let watcher = match self.node.store.watch(wish, move || woken.add(id)) {
            Ok(watcher) => watcher,
            Err(error) => return self.send(message::not_created(self.node, error.to_string())).await,
        };
        self.send(message::created(self.node, id, watcher.created_at())).await?;
        let watch = Watch { watcher, start: request.start_revision, fragment: request.fragment };
        let before = self.watches.insert(id, watch);
        assert!(before.is_none(), "no watch takes the place of another");
        // There may be a history.
        self.woken.add(id);
        Ok(())
    }

    fn free_id(&mut self) -> i64 {
        while self.watches.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        self.next_id += 1;
        assert!(self.next_id > 0, "ids that are given out are not negative");
        self.next_id - 1
    }

    /// One thing that a watch has to tell; if there was one, the others come to their turn before its next.
    async fn tell(&mut self, id: i64) -> Result<(), Status> {
        let Some(mut watch) = self.watches.remove(&id) else { return Ok(()) };
        let update = if watch.watcher.reads_history() {
            let asked = spawn_blocking(move || {
                let update = watch.watcher.try_next();
                (watch, update)
            });
            let (returned, update) = asked.await.map_err(|_| of_store(&mvcc::Error::Stopped))?;
            watch = returned;
            update
        } else {
            watch.watcher.try_next()
        };
        match update {
            Ok(None) => drop(self.watches.insert(id, watch)),
            Ok(Some(WatchUpdate::Events(events))) => {
                debug_assert!(!events.events.is_empty(), "an update has an event");
                let max_bytes = watch.fragment.then(|| self.node.limits.message_bytes());
                self.watches.insert(id, watch);
                for part in message::events(self.node, id, &events, max_bytes) {
                    self.send(part).await?;
                }
                self.woken.add(id);
            }
            Ok(Some(WatchUpdate::Progress { revision })) => {
                self.watches.insert(id, watch);
                self.send(message::progress(self.node, id, revision)).await?;
            }
            Ok(Some(WatchUpdate::Compacted { compact_revision })) => {
                self.send(message::compacted(self.node, id, compact_revision)).await?;
            }
            Err(mvcc::Error::Stopped) => return Err(of_store(&mvcc::Error::Stopped)),
            Err(error) => self.send(message::canceled(self.node, id, error.to_string())).await?,
        }
        Ok(())
    }

    /// Answers a client that asked how far its watches are, once all of them are at the end.
    async fn tell_progress(&mut self) -> Result<(), Status> {
        if !self.progress_wanted {
            return Ok(());
        }
        let mut revision = self.node.store.revision();
        for watch in self.watches.values() {
            match watch.watcher.progress() {
                Some(told) if told >= watch.start => revision = revision.min(told),
                _ => return Ok(()),
            }
        }
        debug_assert!(revision <= self.node.store.revision(), "no watch is ahead of the store");
        self.progress_wanted = false;
        self.send(message::progress(self.node, NO_WATCH, revision)).await
    }

    /// Waits while the client does not read.
    async fn send(&self, response: WatchResponse) -> Result<(), Status> {
        tokio::select! {
            () = self.node.stopped() => Err(of_store(&mvcc::Error::Stopped)),
            // A client that has left hears no status either.
            sent = self.sender.send(Ok(response)) => sent.map_err(|_| refuse(WATCH_CANCELED)),
        }
    }
}
