//! The disk: a page cache over what is durable.

use std::fmt;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::epoch::{Barrier, Epoch, Write, index};
use super::plan::{Call, Fault, Kernel, Plan, Progress};
use crate::growth::grown_len;
use crate::position::write_all_with;
use crate::store::check_range;
use crate::{Latch, MemStore, Operation, PageStore, StoreError, View};

/// What kind of machine the disk is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimOptions {
    /// What the kernel does with dirty pages when a sync fails.
    pub kernel: Kernel,
    /// Whether the first failure poisons the store, as it does a real one. Without, one sees what
    /// the layer above does when it carries on.
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
/// It is one process's handle: [`reopen`](SimDisk::reopen) is the next process's.
pub struct SimDisk {
    machine: Arc<Machine>,
    options: SimOptions,
    len: AtomicU64,
    latch: Latch,
    plans: Mutex<Vec<Progress>>,
    calls: AtomicU64,
    /// Held through a sync or a growth, as in [`PageFile`](crate::PageFile).
    barrier: Mutex<()>,
}

/// What outlives a process.
struct Machine {
    /// The page cache, which is what reads see.
    cache: MemStore,
    disk: Mutex<Disk>,
    hook: Mutex<Option<Hook>>,
}

type Hook = Box<dyn FnMut(&Ahead<'_>) + Send>;

/// What is durable, what is in flight, and what was so before.
struct Disk {
    durable: Arc<Vec<u8>>,
    /// Writes that a power cut may lose, in order; those that a failed sync has left come first.
    writes: Vec<Write>,
    lens: Vec<u64>,
    epochs: Vec<Epoch>,
    barriers: u64,
}

/// A write that is about to happen, and what is durable at that moment.
#[derive(Debug)]
pub struct Ahead<'a> {
    /// The bytes that will be written, by their place.
    pub range: Range<u64>,
    /// What is on the disk, except in the ranges in flight, where it may be this or newer.
    pub durable: &'a [u8],
    /// The ranges that were written since and may be lost.
    pub in_flight: &'a [Range<u64>],
    /// How many barriers the disk has passed: while this stays the same, so does `durable`.
    pub barriers: u64,
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
        let machine = Machine {
            cache: MemStore::with_bytes(bytes),
            disk: Mutex::new(Disk {
                durable: Arc::new(bytes.to_vec()),
                writes: Vec::new(),
                lens: Vec::new(),
                epochs: Vec::new(),
                barriers: 0,
            }),
            hook: Mutex::new(None),
        };
        SimDisk::of(Arc::new(machine), options)
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
        }
    }

    /// The same disk as the next process finds it while the power stays on: after a kill, or after
    /// closing. The page cache is as it was; latch and plans are new. Drop the old handle first, as
    /// the lock of a real file would demand.
    #[must_use]
    pub fn reopen(&self) -> SimDisk {
        SimDisk::of(Arc::clone(&self.machine), self.options)
    }

    /// Lets a call fail. Plans add up, each with a count of its own.
    pub fn plan(&self, plan: Plan) {
        lock(&self.plans).push(Progress::of(plan));
    }

    /// How many calls that change the disk (all but reads) this handle has made: what `nth` of a
    /// [`Plan`] can be, to go through all of them.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Runs `hook` before each write, also those of later handles; it replaces the one before.
    ///
    /// It may panic to say that a write must not be: the write is then not done.
    pub fn before_write(&self, hook: impl FnMut(&Ahead<'_>) + Send + 'static) {
        *lock(&self.machine.hook) = Some(Box::new(hook));
    }

    /// The epochs that have ended since the last call, and at the end the one of now, which may have
    /// nothing in flight: its only outcome is then what is durable.
    ///
    /// They are kept until taken: a copy of the disk for each sync.
    #[allow(clippy::must_use_candidate, reason = "to drop the epochs so far is a use")]
    pub fn take_epochs(&self) -> Vec<Epoch> {
        let mut disk = lock(&self.machine.disk);
        let mut epochs = std::mem::take(&mut disk.epochs);
        epochs.push(disk.epoch(Barrier::None));
        epochs
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
        if self.options.latch { self.latch.run(operation) } else { operation() }
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
        let write = Write { offset, bytes, forgotten: false };
        self.announce(&write);
        let mut disk = lock(&self.machine.disk);
        self.machine.cache.write_at(offset, &[IoSlice::new(&write.bytes)]).map_err(io::Error::other)?;
        let written = write.bytes.len();
        disk.writes.push(write);
        Ok(written)
    }

    /// Tells the hook, without holding the disk: the hook may look at it.
    fn announce(&self, write: &Write) {
        let mut hook = lock(&self.machine.hook);
        let Some(hook) = hook.as_mut() else { return };
        let disk = lock(&self.machine.disk);
        let durable = Arc::clone(&disk.durable);
        let in_flight: Vec<_> = disk.writes.iter().map(|write| write.offset..write.end()).collect();
        let barriers = disk.barriers;
        drop(disk);
        hook(&Ahead { range: write.offset..write.end(), durable: &durable, in_flight: &in_flight, barriers });
    }

    /// `ftruncate`.
    fn set_len_call(&self, len: u64) -> Result<(), StoreError> {
        if let Some(error) = self.fault(Call::SetLen).and_then(Fault::error) {
            return Err(failed(Operation::Grow, None, error));
        }
        let mut disk = lock(&self.machine.disk);
        self.machine.cache.lengthen(len)?;
        disk.lens.push(len);
        Ok(())
    }

    /// `fsync`: of everything, or in a growth, of the length.
    fn sync_call(&self, barrier: Barrier) -> Result<(), StoreError> {
        let fault = self.fault(Call::Sync).and_then(Fault::error);
        let mut disk = lock(&self.machine.disk);
        let epoch = disk.epoch(barrier);
        disk.epochs.push(epoch);
        disk.barriers += 1;
        if let Some(error) = fault {
            disk.fail(self.options.kernel, &self.machine.cache)?;
            return Err(failed(Operation::Sync, None, error));
        }
        disk.settle_len();
        if barrier == Barrier::Sync {
            disk.settle_writes();
        }
        Ok(())
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
        // Short and interrupted reads are carried on by std, so they do not show.
        if let Some(error) = self.fault(Call::Read).and_then(Fault::error) {
            return Err(failed(Operation::Read, Some(offset), error));
        }
        self.machine.cache.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        self.check_latch()?;
        let len = bufs.iter().map(|buf| buf.len() as u64).sum();
        check_range(Operation::Write, offset, len, self.len())?;
        self.latched(|| {
            write_all_with(offset, bufs, |bufs, at| self.write_call(bufs, at))
                .map_err(|(at, error)| failed(Operation::Write, Some(at), error))
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
            self.set_len_call(len)?;
            if self.options.growth_synced { self.sync_call(Barrier::Growth) } else { Ok(()) }
        })?;
        self.len.store(len, Ordering::Release);
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        let _alone = lock(&self.barrier);
        self.latched(|| self.sync_call(Barrier::Sync))
    }

    fn poisoned(&self) -> bool {
        self.latch.poisoned()
    }
}

impl Disk {
    fn epoch(&self, ended_by: Barrier) -> Epoch {
        Epoch { durable: Arc::clone(&self.durable), writes: self.writes.clone(), lens: self.lens.clone(), ended_by }
    }

    /// The length of now becomes durable.
    fn settle_len(&mut self) {
        if let Some(len) = self.lens.iter().max() {
            let len = index(*len).max(self.durable.len());
            Arc::make_mut(&mut self.durable).resize(len, 0);
            self.lens.clear();
        }
    }

    /// Dirty writes become durable. What a failed sync has left stays in doubt, except where it was
    /// written again.
    fn settle_writes(&mut self) {
        let (mut forgotten, dirty): (Vec<_>, Vec<_>) = self.writes.drain(..).partition(|write| write.forgotten);
        let durable = Arc::make_mut(&mut self.durable);
        for write in dirty {
            let start = write.start_index();
            durable[start..start + write.bytes.len()].copy_from_slice(&write.bytes);
            forgotten = forgotten.iter().flat_map(|old| without(old, &(write.offset..write.end()))).collect();
        }
        self.writes = forgotten;
    }

    /// A sync has failed.
    fn fail(&mut self, kernel: Kernel, cache: &MemStore) -> Result<(), StoreError> {
        match kernel {
            Kernel::StaysDirty => {}
            Kernel::CleanNew => {
                for write in &mut self.writes {
                    write.forgotten = true;
                }
            }
            Kernel::Reverted => {
                for write in self.writes.drain(..) {
                    let (start, end) = (write.start_index(), index(write.end()));
                    let known = end.min(self.durable.len()).max(start) - start;
                    let mut old = vec![0; end - start];
                    old[..known].copy_from_slice(&self.durable[start..start + known]);
                    cache.write_at(write.offset, &[IoSlice::new(&old)])?;
                }
            }
        }
        Ok(())
    }
}

/// What is left of a write outside a range: a part before it and a part after it.
fn without(write: &Write, range: &Range<u64>) -> impl Iterator<Item = Write> + use<> {
    let part = |start: u64, end: u64| {
        (start < end).then(|| Write {
            offset: start,
            bytes: write.bytes[index(start - write.offset)..index(end - write.offset)].into(),
            forgotten: write.forgotten,
        })
    };
    let before = part(write.offset, write.end().min(range.start));
    let after = part(write.offset.max(range.end), write.end());
    before.into_iter().chain(after)
}

fn failed(operation: Operation, offset: Option<u64>, source: io::Error) -> StoreError {
    StoreError::Io { operation, path: PathBuf::from("simulated disk"), offset, source }
}

/// A hook may panic, which is how tests fail; what the locks guard is whole all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
