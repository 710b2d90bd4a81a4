//! Stores that hold the images of power cuts, one after the other, without building each from nothing.

use std::io::IoSlice;
use std::sync::{Arc, Mutex, PoisonError};

use super::epoch::{Epoch, index};
use super::power_cut::PowerCut;
use crate::error::StoreError;
use crate::growth::grown_len;
use crate::mem::MemStore;
use crate::store::{PageStore, View};

/// The unit in which changes are remembered, in bytes.
const CHUNK: usize = 4096;

/// Makes a store of each image, and reuses the memory of the store before if that has been dropped.
///
/// It restores only the changed bytes: those that the power cut changed, and those that were written
/// to the store.
///
/// ```
/// use pagefile_std::PageStore;
/// use pagefile_std::sim::{Images, SimDisk, Strategy};
/// use std::io::IoSlice;
/// use std::ops::ControlFlow;
///
/// let disk = SimDisk::with_bytes(&[0; 4096]);
/// disk.write_at(0, &[IoSlice::new(&[1; 4096])]).unwrap();
/// let epoch = disk.take_epochs().remove(0);
///
/// let mut images = Images::new();
/// let _ = epoch.each_power_cut(&Strategy::for_pages(4096), |cut| {
///     let store = images.store(&epoch, cut);
///     assert_eq!(store.view().bytes(0, 4096), Some(&epoch.image(cut)[..]));
///     store.write_at(0, &[IoSlice::new(b"recovery")]).unwrap(); // The next image does not show this.
///     ControlFlow::<()>::Continue(())
/// });
/// ```
#[derive(Debug, Default)]
pub struct Images {
    /// What the store holds except in the touched chunks.
    durable: Arc<Vec<u8>>,
    store: Option<Arc<ImageStore>>,
}

/// A store in memory that starts with the bytes that a power cut has left. [`Images::store`] makes it.
///
/// ```
/// use pagefile_std::PageStore;
/// use pagefile_std::sim::{Images, SimDisk, Strategy};
/// use std::ops::ControlFlow;
///
/// let epoch = SimDisk::with_bytes(b"durable").take_epochs().remove(0);
/// let found = epoch.each_power_cut(&Strategy::for_pages(4096), |cut| {
///     let store = Images::new().store(&epoch, cut);
///     ControlFlow::Break((store.len(), store.poisoned()))
/// });
/// assert_eq!(found, ControlFlow::Break((7, false)));
/// ```
#[derive(Debug)]
pub struct ImageStore {
    memory: MemStore,
    touched: Mutex<Touched>,
}

/// Which chunks may differ from the durable bytes.
#[derive(Debug, Default)]
struct Touched {
    marks: Vec<bool>,
    chunks: Vec<usize>,
}

impl Images {
    /// Starts without a store.
    #[must_use]
    pub fn new() -> Images {
        Images::default()
    }

    /// A store that holds the bytes that this outcome leaves. `cut` must belong to `epoch`.
    ///
    /// O(changed bytes) if the store made before is dropped, with all its owned views, and the epoch
    /// is the same; O(length) otherwise.
    pub fn store(&mut self, epoch: &Epoch, cut: &PowerCut) -> Arc<ImageStore> {
        let before = self.store.take().and_then(Arc::into_inner);
        let store = before.and_then(|store| self.put_right(store, epoch)).unwrap_or_else(|| ImageStore::of(epoch));
        self.durable = Arc::clone(&epoch.durable);
        store.take_len(cut.len);
        for (start, bytes) in epoch.changes(cut) {
            store.put(start, &bytes);
        }
        let store = Arc::new(store);
        self.store = Some(Arc::clone(&store));
        store
    }

    /// Gives a store exactly the epoch's durable bytes again; `None` if somebody else has its memory.
    fn put_right(&self, mut store: ImageStore, epoch: &Epoch) -> Option<ImageStore> {
        let durable = &epoch.durable;
        store.take_len(durable.len() as u64);
        let touched = std::mem::take(store.touched.get_mut().unwrap_or_else(PoisonError::into_inner));
        let map = store.memory.sole_map()?;
        // What was touched may lie past the end, where there are zeros again.
        let put = |chunk: usize| {
            let (start, end) = (chunk * CHUNK, ((chunk + 1) * CHUNK).min(durable.len()));
            map.write(start.min(end) as u64, durable.get(start..end).unwrap_or_default());
        };
        if Arc::ptr_eq(durable, &self.durable) {
            touched.chunks.into_iter().for_each(put);
        } else {
            (0..durable.len().div_ceil(CHUNK)).for_each(put);
        }
        Some(store)
    }
}

impl ImageStore {
    fn of(epoch: &Epoch) -> ImageStore {
        // Room for the layer above to grow a little: moved memory cannot be used again.
        let memory = MemStore::with_capacity(8 * epoch.image_len_max().max(1 << 17) as u64);
        let store = ImageStore { memory, touched: Mutex::default() };
        store.take_len(epoch.durable.len() as u64);
        store.memory.write_at(0, &[IoSlice::new(&epoch.durable)]).expect("room for the image");
        store
    }

    fn take_len(&self, len: u64) {
        self.cut(len);
        self.memory.lengthen(len).expect("memory for the image");
    }

    fn cut(&self, len: u64) {
        let gone = self.memory.len().saturating_sub(len);
        if gone > 0 {
            self.touch(index(len), index(gone));
            self.memory.cut(len);
        }
    }

    fn put(&self, start: usize, bytes: &[u8]) {
        self.touch(start, bytes.len());
        self.memory.write_at(start as u64, &[IoSlice::new(bytes)]).expect("a change inside the image");
    }

    fn touch(&self, start: usize, len: usize) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in start / CHUNK..(start + len).div_ceil(CHUNK) {
            if touched.marks.len() <= chunk {
                touched.marks.resize(chunk + 1, false);
            }
            if !std::mem::replace(&mut touched.marks[chunk], true) {
                touched.chunks.push(chunk);
            }
        }
    }
}

impl PageStore for ImageStore {
    fn len(&self) -> u64 {
        self.memory.len()
    }

    fn view(&self) -> View<'_> {
        self.memory.view()
    }

    fn view_owned(&self) -> View<'static> {
        self.memory.view_owned()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        self.memory.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        self.memory.write_at(offset, bufs)?;
        self.touch(index(offset), bufs.iter().map(|buf| buf.len()).sum());
        Ok(())
    }

    fn grow(&self, min_len: u64) -> Result<(), StoreError> {
        self.memory.grow(min_len)
    }

    fn truncate(&self, min_len: u64) -> Result<(), StoreError> {
        self.cut(grown_len(min_len));
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn poisoned(&self) -> bool {
        false
    }
}
