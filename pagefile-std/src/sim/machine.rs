//! What outlives a process: the page cache, and the disk under it.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::epoch::{Barrier, Epoch, Write, index};
use super::plan::Kernel;
use crate::error::{Operation, StoreError};
use crate::mem::MemStore;
use crate::store::PageStore;

/// A write that is about to happen, and what is durable at that moment.
///
/// ```
/// use pagefile_std::PageStore;
/// use pagefile_std::sim::SimDisk;
/// use std::io::IoSlice;
///
/// let disk = SimDisk::with_bytes(&[0; 4096]);
/// disk.before_write(|ahead| {
///     assert_eq!((&ahead.range, ahead.durable.len()), (&(100..102), 4096));
///     assert!(ahead.in_flight.is_empty(), "this is the first write");
/// });
/// disk.write_at(100, &[IoSlice::new(b"hi")])?;
/// # Ok::<(), pagefile_std::StoreError>(())
/// ```
#[derive(Debug)]
pub struct Ahead<'a> {
    /// The range that will be written, in bytes from the start of the disk.
    pub range: Range<u64>,
    /// The bytes on the disk. Inside the ranges in flight the disk may hold newer bytes.
    pub durable: &'a [u8],
    /// The ranges that were written since and may be lost.
    pub in_flight: &'a [Range<u64>],
    /// How many barriers the disk has passed: while this stays the same, so does `durable`.
    pub barriers: u64,
}

type Hook = Box<dyn FnMut(&Ahead<'_>) + Send>;

/// The part of the simulation that all handles of one disk share.
pub(super) struct Machine {
    /// The page cache, which is what reads see.
    pub(super) cache: MemStore,
    disk: Mutex<Disk>,
    hook: Mutex<Option<Hook>>,
}

/// What is durable, what is in flight, and the epochs before.
struct Disk {
    durable: Arc<Vec<u8>>,
    /// Writes that a power cut may lose, in order; those that a failed sync has left come first.
    writes: Vec<Write>,
    /// Their ranges, as the hook gets them.
    in_flight: Arc<Vec<Range<u64>>>,
    lens: Vec<u64>,
    epochs: Vec<Epoch>,
    barriers: u64,
}

impl Machine {
    /// A machine on whose disk these bytes are durable.
    pub(super) fn with_bytes(bytes: &[u8]) -> Machine {
        let disk = Disk {
            durable: Arc::new(bytes.to_vec()),
            writes: Vec::new(),
            in_flight: Arc::default(),
            lens: Vec::new(),
            epochs: Vec::new(),
            barriers: 0,
        };
        Machine { cache: MemStore::with_bytes(bytes), disk: Mutex::new(disk), hook: Mutex::new(None) }
    }

    /// Calls `hook` before each write from now on.
    pub(super) fn watch(&self, hook: Hook) {
        *lock(&self.hook) = Some(hook);
    }

    /// The epochs since the last call, the open one at the end.
    pub(super) fn take_epochs(&self) -> Vec<Epoch> {
        let mut disk = lock(&self.disk);
        let mut epochs = std::mem::take(&mut disk.epochs);
        epochs.push(disk.epoch(Barrier::None));
        epochs
    }

    /// `pwritev`: the bytes reach the page cache and are in flight.
    pub(super) fn write(&self, write: Write) -> io::Result<()> {
        self.announce(&write);
        let mut disk = lock(&self.disk);
        self.cache.write_at(write.offset, &[IoSlice::new(&write.bytes)]).map_err(io::Error::other)?;
        // The hook has returned and left the list to the disk, so nothing is copied here.
        Arc::make_mut(&mut disk.in_flight).push(write.range());
        disk.writes.push(write);
        assert_eq!(disk.in_flight.len(), disk.writes.len(), "the list has every write");
        Ok(())
    }

    /// Tells the hook, without holding the disk: the hook may look at it.
    fn announce(&self, write: &Write) {
        let mut hook = lock(&self.hook);
        let Some(hook) = hook.as_mut() else { return };
        let disk = lock(&self.disk);
        let durable = Arc::clone(&disk.durable);
        let in_flight = Arc::clone(&disk.in_flight);
        let barriers = disk.barriers;
        drop(disk);
        hook(&Ahead { range: write.range(), durable: &durable, in_flight: &in_flight, barriers });
    }

    /// `ftruncate` to more bytes: the new length is in flight.
    pub(super) fn lengthen(&self, len: u64) -> Result<(), StoreError> {
        let mut disk = lock(&self.disk);
        self.cache.lengthen(len)?;
        disk.lens.push(self.cache.len());
        Ok(())
    }

    /// `ftruncate` to fewer bytes: the new length is in flight, and what was in flight past it is gone.
    pub(super) fn shorten(&self, len: u64) {
        let mut disk = lock(&self.disk);
        assert!(len <= self.cache.len(), "a truncation makes the file shorter");
        self.cache.cut(len);
        disk.lens.push(len);
        disk.writes = disk.writes.iter().flat_map(|write| write.without(&(len..u64::MAX))).collect();
        disk.list_in_flight();
    }

    /// `fsync` of everything, of the length in a growth, or of the range of a durable write. It fails if there is an `error`.
    pub(super) fn sync(&self, barrier: &Barrier, error: Option<io::Error>, kernel: Kernel) -> Result<(), StoreError> {
        let mut disk = lock(&self.disk);
        let epoch = disk.epoch(barrier.clone());
        disk.epochs.push(epoch);
        disk.barriers += 1;
        let everything = 0..u64::MAX;
        if let Some(error) = error {
            let range = if let Barrier::Write(range) = barrier { range } else { &everything };
            disk.fail(kernel, &self.cache, range)?;
            disk.list_in_flight();
            return Err(failed(Operation::Sync, None, error));
        }
        match barrier {
            Barrier::Write(range) => disk.settle_range(range),
            Barrier::Sync => {
                disk.settle_len();
                disk.settle_writes(&everything);
            }
            Barrier::Growth | Barrier::None => disk.settle_len(),
        }
        disk.list_in_flight();
        Ok(())
    }
}

impl Disk {
    fn epoch(&self, ended_by: Barrier) -> Epoch {
        Epoch { durable: Arc::clone(&self.durable), writes: self.writes.clone(), lens: self.lens.clone(), ended_by }
    }

    /// Lists the ranges of all writes, after a sync has removed some.
    fn list_in_flight(&mut self) {
        self.in_flight = Arc::new(self.writes.iter().map(Write::range).collect());
    }

    /// The current length becomes durable.
    fn settle_len(&mut self) {
        if let (Some(shortest), Some(last)) = (self.lens.iter().min(), self.lens.last()) {
            let durable = Arc::make_mut(&mut self.durable);
            durable.truncate(index(*shortest));
            durable.resize(index(*last), 0);
            self.lens.clear();
        }
    }

    /// What a durable write has written becomes durable, and nothing else. So does the length if a power cut could leave one
    /// without these bytes: the system makes durable what it takes to find them again.
    fn settle_range(&mut self, range: &Range<u64>) {
        let shortest = self.lens.iter().copied().fold(self.durable.len() as u64, u64::min);
        if range.end > shortest {
            self.settle_len();
        }
        self.settle_writes(range);
        let touches = |write: &Write| !write.forgotten && write.within(range).is_some();
        assert!(!self.writes.iter().any(touches), "nothing that a durable write covers is in flight");
    }

    /// Dirty writes become durable, as far as they lie in the range. What a failed sync has left stays in doubt, except where
    /// it was written again.
    fn settle_writes(&mut self, range: &Range<u64>) {
        let durable = Arc::make_mut(&mut self.durable);
        let mut in_doubt: Vec<Write> = Vec::new();
        for write in self.writes.drain(..) {
            let Some(part) = write.within(range).filter(|_| !write.forgotten) else {
                in_doubt.push(write);
                continue;
            };
            let start = part.start_index();
            assert!(index(part.end()) <= durable.len(), "what becomes durable lies inside the durable length");
            durable[start..start + part.bytes.len()].copy_from_slice(&part.bytes);
            if in_doubt.iter().any(|earlier| earlier.within(&part.range()).is_some()) {
                in_doubt = in_doubt.iter().flat_map(|earlier| earlier.without(&part.range())).collect();
            }
            in_doubt.extend(write.without(range));
        }
        self.writes = in_doubt;
    }

    /// A sync of a range has failed.
    fn fail(&mut self, kernel: Kernel, cache: &MemStore, range: &Range<u64>) -> Result<(), StoreError> {
        let mut in_doubt = Vec::new();
        for write in self.writes.drain(..) {
            let Some(part) = write.within(range).filter(|_| kernel != Kernel::StaysDirty) else {
                in_doubt.push(write);
                continue;
            };
            in_doubt.extend(write.without(range));
            if kernel == Kernel::CleanNew {
                in_doubt.push(Write { forgotten: true, ..part });
                continue;
            }
            let (start, end) = (part.start_index(), index(part.end()));
            let known = end.min(self.durable.len()).max(start) - start;
            let mut old = vec![0; end - start];
            old[..known].copy_from_slice(&self.durable[start..start + known]);
            cache.write_at(part.offset, &[IoSlice::new(&old)])?;
        }
        self.writes = in_doubt;
        Ok(())
    }
}

/// The error of a call that the plan lets fail.
pub(super) fn failed(operation: Operation, offset: Option<u64>, source: io::Error) -> StoreError {
    StoreError::Io { operation, path: "simulated disk".into(), offset, source }
}

/// A hook may panic, which is how tests fail; the data under the locks is whole all the same.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
