//! The store.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, RwLock};
use std::thread::{self, JoinHandle};

use kv::{Db, ReadTx};
use prost::Message as _;

use super::compaction::{self, Compactor};
use super::error::{Error, Result};
use super::expiry::{self, Expiry};
use super::hash;
use super::layout::{self, ALARM, KEY, Meta, damaged};
use super::locked::{self, lock};
use super::options::Options;
use super::pins::Pins;
use super::queue::{Job, Queue, Write};
use super::read;
use super::request::{
    Alarm, CompactRequest, DeleteRangeRequest, LeaseCheckpointRequest, LeaseGrantRequest, LeaseRevokeRequest,
    PutRequest, RangeRequest, RequestOp, TxnRequest,
};
use super::response::{
    CompactResponse, DeleteRangeResponse, HashKv, LeaseGrantResponse, LeaseRevokeResponse, LeaseStatus, PutResponse,
    RangeResponse, ResponseOp, Status, TxnResponse,
};
use super::restore::restore;
use super::revision::Revision;
use super::row::AlarmRow;
use super::shared::Shared;
use super::txn::{View, check_path, execute};
use super::watch::{self, Hub, WatchRequest, Watcher};
use super::writer;

/// etcd's layer over a file: keys with revisions.
///
/// All methods may be called from any number of threads. Reads see the newest revision that is durable, or the one that
/// they ask for, and wait for nobody. Writes wait in a queue for the writer's thread, which commits many of them at once;
/// each is answered when it is durable.
///
/// [`put`](Self::put) and its like wait for the answer. [`submit`](Self::submit) does not: it calls a function with the
/// answer.
///
/// Dropping the store does what waits in the queue, and closes the file.
pub struct Store {
    shared: Arc<Shared>,
    /// None if the store is read-only.
    threads: Option<Threads>,
    meta: Meta,
}

/// The threads of a store, in the order in which they end.
struct Threads {
    expiry: JoinHandle<()>,
    compactor: JoinHandle<()>,
    writer: JoinHandle<()>,
    hub: JoinHandle<()>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("revision", &self.revision()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the file at `path`, or creates it. It must be etcd's, or empty. O(rows): the index is built from all of them.
    ///
    /// # Errors
    /// [`Error::NotAStore`], [`Error::DamagedRow`], or what the page store answers.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let db = options.engine.open(path)?;
        Self::from_db(db, options)
    }

    /// As [`open`](Self::open), with a database that is open already.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_db(db: Db, options: Options) -> Result<Self> {
        if !db.is_read_only() && !layout::is_complete(&db.begin_read())? {
            db.try_update(layout::create)?;
        }
        let restored = restore(&db, &options)?;
        debug_assert!(restored.current >= restored.compacted.max(1), "what is compacted was written");
        let shared = Arc::new(Shared {
            db,
            options,
            index: RwLock::new(restored.index),
            current: AtomicI64::new(restored.current),
            pins: Pins::new(restored.compacted),
            lessor: Mutex::new(restored.lessor),
            hub: Hub::new(restored.current),
            queue: Queue::default(),
            compactor: Compactor::default(),
            expiry: Expiry::default(),
            writes: AtomicU64::new(0),
            commits: AtomicU64::new(0),
        });
        let threads = if shared.db.is_read_only() {
            shared.queue.close();
            None
        } else {
            if let Some(revision) = restored.unfinished {
                shared.compactor.resume(revision);
            }
            Some(Threads::start(&shared)?)
        };
        Ok(Self { shared, threads, meta: restored.meta })
    }

    /// The newest revision. A new store has 1.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.shared.current()
    }

    /// The revision of the last compaction; -1 if there was none.
    #[must_use]
    pub fn compact_revision(&self) -> i64 {
        self.shared.pins.compacted()
    }

    /// Reads the keys of a range.
    ///
    /// # Errors
    /// [`Error::EmptyKey`], [`Error::Compacted`], [`Error::FutureRevision`]; a damaged row, or what the page store answers.
    #[allow(clippy::needless_pass_by_value, reason = "as all other requests")]
    pub fn range(&self, request: RangeRequest) -> Result<RangeResponse> {
        if request.key.is_empty() {
            return Err(Error::EmptyKey);
        }
        let (pin, current) = self.shared.pin(request.revision)?;
        let tx = self.shared.db.begin_read();
        debug_assert!(pin.revision() <= current, "a read is of what was written");
        let answer = read::range(&self.shared.index, &layout::key_bucket(&tx)?, &request, pin.revision())?;
        Ok(RangeResponse { revision: current, ..answer })
    }

    /// Puts a key.
    ///
    /// # Errors
    /// [`Error::EmptyKey`], [`Error::ValueProvided`], [`Error::LeaseProvided`], [`Error::LeaseNotFound`],
    /// [`Error::KeyNotFound`], [`Error::NoSpace`]; what the page store answers.
    pub fn put(&self, request: PutRequest) -> Result<PutResponse> {
        self.call(request)
    }

    /// Deletes the keys of a range.
    ///
    /// # Errors
    /// [`Error::EmptyKey`], [`Error::NoSpace`]; what the page store answers.
    pub fn delete_range(&self, request: DeleteRangeRequest) -> Result<DeleteRangeResponse> {
        self.call(request)
    }

    /// Does operations together.
    ///
    /// # Errors
    /// [`Error::TooManyOps`], [`Error::DuplicateKey`], and those of its operations: then nothing was changed.
    pub fn txn(&self, request: TxnRequest) -> Result<TxnResponse> {
        self.call(request)
    }

    /// Forgets everything that no read at the request's revision or later needs.
    ///
    /// # Errors
    /// [`Error::Compacted`], [`Error::FutureRevision`]; what the page store answers.
    pub fn compact(&self, request: CompactRequest) -> Result<CompactResponse> {
        self.call(request)
    }

    /// Makes a lease.
    ///
    /// # Errors
    /// [`Error::LeaseExists`], [`Error::LeaseTtlTooLarge`]; what the page store answers.
    pub fn lease_grant(&self, request: LeaseGrantRequest) -> Result<LeaseGrantResponse> {
        self.call(request)
    }

    /// Ends a lease and deletes its keys.
    ///
    /// # Errors
    /// [`Error::LeaseNotFound`]; what the page store answers.
    pub fn lease_revoke(&self, request: LeaseRevokeRequest) -> Result<LeaseRevokeResponse> {
        self.call(request)
    }

    fn call<W: Write>(&self, request: W) -> Result<W::Response> {
        let (tell, told) = sync_channel(1);
        self.submit(request, move |answer| {
            let sent = tell.try_send(answer);
            debug_assert!(sent.is_ok(), "a request is answered once, and somebody waits");
        });
        told.recv().unwrap_or(Err(Error::Stopped))
    }

    /// Hands a write over, and calls `answer` when it is durable or was refused: on the writer's thread, so it should
    /// return soon, and must not wait for another write.
    pub fn submit<W: Write>(&self, request: W, answer: impl FnOnce(Result<W::Response>) + Send + 'static) {
        let job = request.into_job(Box::new(answer));
        if let Err(error) = job.check(self.shared.options.max_txn_ops) {
            return job.refuse(error);
        }
        match job {
            Job::Txn(request, answer) if request.is_read_only() => answer(self.read_txn(request)),
            job if self.shared.db.is_read_only() => job.refuse(kv::Error::ReadOnly.into()),
            job => self.shared.queue.push(job, self.shared.options.max_waiting),
        }
    }

    /// A transaction that only reads, and was checked.
    fn read_txn(&self, request: TxnRequest) -> Result<TxnResponse> {
        debug_assert!(request.is_read_only(), "writes have their turn");
        let (pin, current) = self.shared.pin(0)?;
        let tx = self.shared.db.begin_read();
        let view = View { index: &self.shared.index, rows: layout::key_bucket(&tx)?, at: current };
        let path = view.path(&request)?;
        let mut pins = Vec::new();
        check_path(&request, &mut path.iter().copied(), &mut |op| {
            let RequestOp::Range(range) = op else { unreachable!("it only reads") };
            match range.revision {
                0 => Ok(()),
                revision if revision > current => Err(Error::FutureRevision),
                revision if revision < 0 => Err(Error::Compacted),
                revision => self.shared.pins.pin(revision).map(|pin| pins.push(pin)),
            }
        })?;
        debug_assert!(pin.revision() == current, "the state is held");
        let mut steps = path.into_iter();
        let answer = execute(request, &mut steps, &mut |op| {
            let RequestOp::Range(range) = op else { unreachable!("it only reads") };
            let at = if range.revision == 0 { current } else { range.revision };
            let answer = read::range(&self.shared.index, &view.rows, &range, at)?;
            Ok(ResponseOp::Range(RangeResponse { revision: current, ..answer }))
        })?;
        debug_assert!(steps.next().is_none(), "every branch that is taken was read");
        Ok(TxnResponse { revision: current, ..answer })
    }

    /// Starts a lease's time anew. Returns the seconds that it lives from now on; none if there is no such lease, or its
    /// time is over.
    pub fn lease_keep_alive(&self, id: i64) -> Option<i64> {
        let (ttl, was_noted) = lock(&self.shared.lessor).renew(id)?;
        if was_noted {
            // The file must not say that less is left. Nobody waits for it: as in etcd, a crash may shorten the lease.
            self.submit(LeaseCheckpointRequest { leases: vec![(id, 0)] }, drop);
        }
        Some(ttl)
    }

    /// What is known of a lease; none if there is no such lease.
    #[must_use]
    pub fn lease_time_to_live(&self, id: i64, keys: bool) -> Option<LeaseStatus> {
        let lessor = lock(&self.shared.lessor);
        let (ttl, granted_ttl) = lessor.time(id)?;
        let keys = if keys { lessor.keys(id)? } else { Vec::new() };
        Some(LeaseStatus { revision: self.revision(), ttl, granted_ttl, keys })
    }

    /// The ids of all leases, those that expire first in front.
    #[must_use]
    pub fn leases(&self) -> Vec<i64> {
        lock(&self.shared.lessor).ids()
    }

    /// Notes in the file how long each lease has to live, as happens now and then and when the store is closed.
    ///
    /// # Errors
    /// What the page store answers.
    pub fn checkpoint_leases(&self) -> Result<()> {
        let leases = lock(&self.shared.lessor).times_left();
        if leases.is_empty() { Ok(()) } else { self.call(LeaseCheckpointRequest { leases }).map(drop) }
    }

    /// Watches a range of keys. `wake` is called, on a thread of the store, when the watcher may have something to hear; it
    /// must return at once, and must not call the watcher. A thread that waits in
    /// [`Watcher::next_timeout`] needs no `wake`: give it `|| ()`.
    ///
    /// # Errors
    /// [`Error::EmptyWatchRange`].
    pub fn watch(&self, request: WatchRequest, wake: impl Fn() + Send + Sync + 'static) -> Result<Watcher> {
        Watcher::new(&self.shared, request, Box::new(wake))
    }

    /// The hash of all rows up to a revision, 0 for the current one: equal to etcd's at each revision above the compacted
    /// one. A negative revision is before all rows, as in etcd. O(rows).
    ///
    /// # Errors
    /// [`Error::Compacted`], [`Error::FutureRevision`]; a damaged row, or what the page store answers.
    pub fn hash_kv(&self, revision: i64) -> Result<HashKv> {
        hash::hash_kv(&self.shared, revision)
    }

    /// All changes of a key that the store still has, oldest first: the revision, and the key, or none if the change
    /// deleted it.
    ///
    /// # Errors
    /// A damaged row, or what the page store answers.
    pub fn history(&self, key: &[u8]) -> Result<Vec<(Revision, Option<super::KeyValue>)>> {
        let pin = self.shared.pin_current();
        let tx = self.shared.db.begin_read();
        let rows = tx.bucket(KEY)?;
        let changes = locked::read(&self.shared.index).changes(key);
        debug_assert!(changes.is_sorted_by(|(one, _), (next, _)| one < next), "oldest first");
        let visible = changes.into_iter().filter(|(revision, _)| revision.main <= pin.revision());
        let row = |(revision, tombstone)| {
            if tombstone {
                return Ok(Some((revision, None)));
            }
            // One below the compacted revision may be on its way out.
            Ok(read::get_if_there(&rows, revision)?.map(|kv| (revision, Some(kv))))
        };
        visible.map(row).filter_map(Result::transpose).collect()
    }

    /// All alarms that are set.
    ///
    /// # Errors
    /// A damaged row, or what the page store answers.
    pub fn alarms(&self) -> Result<Vec<Alarm>> {
        let tx = self.shared.db.begin_read();
        let Some(bucket) = tx.get_bucket(ALARM)? else { return Ok(Vec::new()) };
        let alarm = |item: kv::Result<kv::Pair<'_>>| {
            let (key, _) = item?;
            let row = AlarmRow::decode(key).map_err(|_| damaged(ALARM, key, "it is not an alarm"))?;
            Ok(Alarm { member: row.member, kind: row.alarm })
        };
        bucket.iter().map(alarm).collect()
    }

    /// The members of the cluster as etcd's JSON, each with its id in hexadecimal.
    ///
    /// # Errors
    /// What the page store answers.
    pub fn members(&self) -> Result<Vec<(String, String)>> {
        let tx = self.shared.db.begin_read();
        let Some(bucket) = tx.get_bucket(layout::MEMBERS)? else { return Ok(Vec::new()) };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        bucket
            .iter()
            .map(|item| {
                let (key, value) = item?;
                Ok((text(key), text(value)))
            })
            .collect()
    }

    /// Figures.
    #[must_use]
    pub fn status(&self) -> Status {
        let stats = self.shared.db.stats();
        let size = self.shared.db.file_len();
        let free = stats.free_pages * u64::from(self.shared.db.page_size());
        Status {
            revision: self.revision(),
            compact_revision: self.compact_revision(),
            db_size: size.cast_signed(),
            db_size_in_use: size.saturating_sub(free).cast_signed(),
            keys: locked::read(&self.shared.index).keys(),
            leases: lock(&self.shared.lessor).len() as u64,
            watchers: self.shared.hub.watchers() as u64,
            writes: self.shared.writes.load(Ordering::Relaxed),
            commits: self.shared.commits.load(Ordering::Relaxed),
            consistent_index: self.meta.consistent_index,
            term: self.meta.term,
        }
    }

    /// The file at this moment, for a copy or a look at its rows. It outlives nothing: while it is there, the pages that it
    /// sees are not used again.
    #[must_use]
    pub fn begin_read(&self) -> ReadTx<'static> {
        self.shared.db.begin_read_owned()
    }

    /// The database below.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.shared.db
    }

    /// Notes how long leases have to live, does what waits in the queue, and closes the file. Watchers hear what they have
    /// not heard.
    ///
    /// # Errors
    /// What the page store answers to the checkpoint of leases.
    pub fn close(mut self) -> Result<()> {
        let noted =
            if self.threads.is_some() && self.shared.options.lease_expiry { self.checkpoint_leases() } else { Ok(()) };
        self.stop();
        noted
    }

    fn stop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.stop(&self.shared);
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Threads {
    fn start(shared: &Arc<Shared>) -> Result<Self> {
        let start = |name: &str, run: fn(&Shared)| {
            let shared = shared.clone();
            let thread = thread::Builder::new().name(name.to_owned()).spawn(move || run(&shared));
            thread.map_err(|error| Error::System { what: "start a thread", source: Arc::new(error) })
        };
        Ok(Self {
            expiry: start("kv-etcd expiry", expiry::run)?,
            compactor: start("kv-etcd compactor", compaction::run)?,
            writer: start("kv-etcd writer", writer::run)?,
            hub: start("kv-etcd hub", watch::run)?,
        })
    }

    /// Those that hand writes to the writer end first, and the hub hears all that it wrote.
    fn stop(self, shared: &Shared) {
        shared.compactor.close();
        shared.expiry.close();
        let _ = self.expiry.join();
        let _ = self.compactor.join();
        shared.queue.close();
        let _ = self.writer.join();
        shared.hub.close();
        let _ = self.hub.join();
    }
}
