//! Atomics and locks: std's, or loom's under `--cfg loom`, which tries every order that the memory model allows
//! (`cargo interleavings`).

#[cfg(loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, fence},
    },
};
#[cfg(not(loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, fence},
    },
};

#[cfg(not(loom))]
pub(crate) use pagefile_std::Words;

/// Words that are 0 at first.
#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct Words(Box<[AtomicU64]>);

#[cfg(loom)]
impl Words {
    #[allow(clippy::unnecessary_wraps, reason = "as those of the memory that the system gives")]
    pub(crate) fn new(count: usize) -> std::io::Result<Self> {
        Ok(Self((0..count).map(|_| AtomicU64::new(0)).collect()))
    }

    pub(crate) fn as_slice(&self) -> &[AtomicU64] {
        &self.0
    }
}

#[cfg(loom)]
pub(crate) use loom::thread::ThreadId;
#[cfg(not(loom))]
pub(crate) use std::thread::ThreadId;

/// The thread that calls this.
pub(crate) fn this_thread() -> ThreadId {
    #[cfg(loom)]
    return loom::thread::current().id();
    #[cfg(not(loom))]
    std::thread::current().id()
}
