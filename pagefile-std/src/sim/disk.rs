//! The store on a simulated disk: one process's handle.

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::epoch::{Barrier, Epoch, Write};
use super::machine::{Ahead, Machine, failed, lock};
use super::plan::{Call, Fault, Kernel, Plan, Progress};
use crate::error::{Operation, StoreError};
use crate::growth::grown_len;
use crate::latch::Latch;
use crate::position::write_all_with;
use crate::store::{PageStore, View, check_range};

/// What kind of machine the disk is in.
///
/// ```
/// use pagefile_std::PageStore;
/// use pagefile_std::sim::{Call, Fault, Kernel, Plan, SimDisk, SimOptions};
///
/// let options = SimOptions { kernel: Kernel::StaysDirty, latch: false, ..SimOptions::default() };
/// let disk = SimDisk::with_options(&[0; 4096], options);
/// disk.plan(Plan { call: Some(Call::Sync), nth: 1, fault: Fault::Io, for_ever: false });
/// assert!(disk.sync().is_err());
/// assert!(disk.sync().is_ok(), "without the latch nothing refuses the second try");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimOptions {
    /// What the kernel does with dirty pages when a sync fails.
    pub kernel: Kernel,
    /// Whether the first failure poisons the store, as it does a real one. Switch it off to see what
    /// happens when the layer above carries on after a failure.
    pub latch: bool,
    /// Whether growth is durable when it returns; if not, it is with the next sync.
    pub growth_synced: bool,
}

impl Default for SimOptions {
    /// Ext4's behaviour after a failed sync, latch on, growth synced.
    fn default() -> SimOptions {
        SimOptions { kernel: Kernel::default(), latch: true, growth_synced: true }
    }
}

/// A store on a simulated disk; see the [fault model](crate::sim#the-fault-model).
///
/// It is the handle of one process. [`reopen`](SimDisk::reopen) makes the handle of the next one.
///
/// ```
/// use pagefile_std::PageStore;
/// use pagefile_std::sim::SimDisk;
/// use std::io::IoSlice;
///
/// let disk = SimDisk::with_bytes(&[0; 4096]);
/// disk.write_at(0, &[IoSlice::new(b"not synced")])?;
///
/// // A kill leaves what is in the page cache.
/// let after_kill = disk.reopen();
/// assert_eq!(after_kill.view().bytes(0, 10), Some(&b"not synced"[..]));
///
/// // A power cut may leave the old bytes.
/// let epochs = disk.take_epochs();
/// assert_eq!(epochs[0].durable()[..10], [0; 10]);
/// # Ok::<(), pagefile_std::StoreError>(())
/// ```
pub struct SimDisk {
    machine: Arc<Machine>,
    options: SimOptions,
    len: AtomicU64,
    latch: Latch,
    plans: Mutex<Vec<Progress>>,
    calls: AtomicU64,
    /// Held through a sync or a growth, as in [`PageFile`](crate::PageFile).
    barrier: Mutex<()>,
    /// Held through a durable write.
    durable_turn: Mutex<()>,
    /// A truncation has failed, as in [`PageFile`](crate::PageFile).
    cut_before_growth: AtomicBool,
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> SimDisk {
        SimDisk::with_bytes(&[])
    }

    /// A disk on which these bytes are durable.
    #[must_use]
    pub fn with_bytes(bytes: &[u8]) -> SimDisk {
        SimDisk::with_options(bytes, SimOptions::default())
    }

    /// A disk on which these bytes are durable, in a machine of this kind.
    #[must_use]
    pub fn with_options(bytes: &[u8], options: SimOptions) -> SimDisk {
        SimDisk::of(Arc::new(Machine::with_bytes(bytes)), options)
    }

    fn of(machine: Arc<Machine>, options: SimOptions) -> SimDisk {
        SimDisk {
            len: AtomicU64::new(machine.cache.len()),
            machine,
            options,
            latch: Latch::new(),
            plans: Mutex::new(Vec::new()),
            calls: AtomicU64::new(0),
            barrier: Mutex::new(()),
            durable_turn: Mutex::new(()),
            cut_before_growth: AtomicBool::new(false),
        }
    }

    /// The same disk as the next process finds it while the power stays on: after a kill, or after
    /// closing. The page cache keeps its bytes; the latch is open again and there are no plans. Drop
    /// the old handle first, as the lock of a real file would demand.
    #[must_use]
    pub fn reopen(&self) -> SimDisk {
        SimDisk::of(Arc::clone(&self.machine), self.options)
    }

    /// Makes a call fail. Several plans may be active; each counts for itself.
    pub fn plan(&self, plan: Plan) {
        lock(&self.plans).push(Progress::of(plan));
    }

    /// How many calls that change the disk (all but reads) this handle has made: the largest `nth`
    /// of a [`Plan`] that would have had an effect.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Runs `hook` before each write, also those of later handles; it replaces an earlier hook.
    ///
    /// It may panic to reject a write: the write is then not done.
    pub fn before_write(&self, hook: impl FnMut(&Ahead<'_>) + Send + 'static) {
        self.machine.watch(Box::new(hook));
    }

    /// The epochs that have ended since the last call, followed by the open one. If nothing is in
    /// flight in the open one, its only outcome is what is durable.
    ///
    /// They are kept until taken: a copy of the disk for each sync.
    #[allow(clippy::must_use_candidate, reason = "to drop the epochs so far is a use")]
    pub fn take_epochs(&self) -> Vec<Epoch> {
        self.machine.take_epochs()
    }

    fn fault(&self, call: Call) -> Option<Fault> {
        if call != Call::Read {
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        // Every plan counts every call, so no `find`, which would stop at the first fault.
        lock(&self.plans).iter_mut().filter_map(|plan| plan.fault(call)).last()
    }

    fn check_latch(&self) -> Result<(), StoreError> {
        if self.options.latch { self.latch.check() } else { Ok(()) }
    }

    fn latched<T>(&self, operation: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let done = if self.options.latch { self.latch.run(operation) } else { operation() };
        assert!(
            done.is_ok() || self.poisoned() == self.options.latch,
            "a failure poisons exactly where the latch is on"
        );
        done
    }

    /// `pwritev`.
    fn write_call(&self, bufs: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let most = match self.fault(Call::Write) {
            None => usize::MAX,
            Some(Fault::Short(most)) => most.max(1),
            Some(Fault::Interrupted) => return Err(io::ErrorKind::Interrupted.into()),
            Some(fault) => return fault.error().map_or(Ok(0), Err),
        };
        let bytes: Arc<[u8]> = bufs.iter().flat_map(|buf| buf.iter().copied()).take(most).collect();
        let written = bytes.len();
        self.machine.write(Write { offset, bytes, forgotten: false })?;
        Ok(written)
    }

    /// `ftruncate`, in a growth.
    fn lengthen_call(&self, len: u64) -> Result<(), StoreError> {
        match self.fault(Call::SetLen).and_then(Fault::error) {
            Some(error) => Err(failed(Operation::Grow, None, error)),
            None => self.machine.lengthen(len),
        }
    }

    /// `ftruncate`, in a truncation, or before the growth after one that failed.
    fn shorten_call(&self, len: u64) -> Result<(), StoreError> {
        let fault = self.fault(Call::SetLen).and_then(Fault::error);
        self.cut_before_growth.store(fault.is_some(), Ordering::Relaxed);
        if let Some(error) = fault {
            return Err(failed(Operation::Truncate, None, error));
        }
        self.machine.shorten(len);
        Ok(())
    }

    /// `pwritev`, until all is written.
    fn write_calls(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        write_all_with(offset, bufs, |bufs, at| self.write_call(bufs, at))
            .map_err(|(at, error)| failed(Operation::Write, Some(at), error))
    }

    /// `fsync`, or the part of a durable write that waits.
    fn sync_call(&self, barrier: &Barrier) -> Result<(), StoreError> {
        let error = self.fault(Call::Sync).and_then(Fault::error);
        self.machine.sync(barrier, error, self.options.kernel)
    }
}

impl Default for SimDisk {
    fn default() -> SimDisk {
        SimDisk::new()
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk").field("len", &self.len()).field("options", &self.options).finish_non_exhaustive()
    }
}

impl PageStore for SimDisk {
    fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    fn view(&self) -> View<'_> {
        self.machine.cache.view()
    }

    fn view_owned(&self) -> View<'static> {
        self.machine.cache.view_owned()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        check_range(Operation::Read, offset, buf.len() as u64, self.len())?;
        // Std carries on after short and interrupted reads, so they do not show.
        if let Some(error) = self.fault(Call::Read).and_then(Fault::error) {
            return Err(failed(Operation::Read, Some(offset), error));
        }
        self.machine.cache.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        self.check_latch()?;
        check_range(Operation::Write, offset, len_of(bufs), self.len())?;
        self.latched(|| self.write_calls(offset, bufs))
    }

    fn write_durable_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        let _alone = lock(&self.durable_turn);
        self.check_latch()?;
        let len = len_of(bufs);
        check_range(Operation::Write, offset, len, self.len())?;
        assert!(offset.checked_add(len).is_some(), "the run lies inside of the disk");
        self.latched(|| {
            self.write_calls(offset, bufs)?;
            self.sync_call(&Barrier::Write(offset..offset + len))
        })
    }

    fn grow(&self, min_len: u64) -> Result<(), StoreError> {
        let _alone = lock(&self.barrier);
        self.check_latch()?;
        if min_len <= self.len() {
            return Ok(());
        }
        let len = grown_len(min_len);
        self.latched(|| {
            if self.cut_before_growth.load(Ordering::Relaxed) {
                self.shorten_call(self.len())?;
            }
            self.lengthen_call(len)?;
            if self.options.growth_synced { self.sync_call(&Barrier::Growth) } else { Ok(()) }
        })?;
        let before = self.len.swap(len, Ordering::AcqRel);
        assert!(before < len, "a growth only raises the length");
        Ok(())
    }

    fn truncate(&self, min_len: u64) -> Result<(), StoreError> {
        let _alone = lock(&self.barrier);
        self.check_latch()?;
        let len = grown_len(min_len);
        if len >= self.len() {
            return Ok(());
        }
        self.len.store(len, Ordering::Release);
        self.shorten_call(len)
    }

    fn sync(&self) -> Result<(), StoreError> {
        let _alone = lock(&self.barrier);
        self.latched(|| self.sync_call(&Barrier::Sync))
    }

    fn poisoned(&self) -> bool {
        self.latch.poisoned()
    }
}

fn len_of(bufs: &[IoSlice<'_>]) -> u64 {
    bufs.iter().map(|buf| buf.len() as u64).sum()
}
