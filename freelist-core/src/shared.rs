//! One allocator for several threads or cores, behind a lock of the caller's choice.

use core::fmt;
use core::marker::PhantomData;

use crate::allocator::{AllocError, PageAllocator};
use crate::error::FreelistError;
use crate::free_spans::FreeSpans;
use crate::request::Request;
use crate::source::PageSource;
use crate::span::Span;
use crate::span_maps::SpanMaps;

/// Mutual exclusion: a spin lock, an operating system's mutex, or disabled interrupts.
///
/// ```
/// use std::sync::{Mutex, PoisonError};
///
/// struct StdLock<T>(Mutex<T>);
///
/// impl<T> freelist_core::Lock<T> for StdLock<T> {
///     fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
///         work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
///     }
/// }
/// ```
pub trait Lock<T> {
    /// Runs `work` while no other thread, core or interrupt handler runs work on the same value.
    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R;
}

#[cfg(feature = "spin")]
impl<T> Lock<T> for spin::Mutex<T> {
    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.lock())
    }
}

/// A [`PageAllocator`] behind a lock. Each call takes the lock once, and holds it for O(1) unless the
/// call itself costs more.
///
/// An interrupt handler must not wait for a spin lock that the interrupted code holds: use a lock that
/// disables interrupts there.
///
#[cfg_attr(feature = "spin", doc = "```")]
#[cfg_attr(not(feature = "spin"), doc = "```ignore")]
/// use freelist_core::{FixedRange, PageAllocator, PageId, SharedAllocator, Span};
///
/// let frames = Span::new(PageId::new(0x8_0000), 1024)?;
/// let allocator: PageAllocator<_> = PageAllocator::new(FixedRange::new(frames));
/// let shared = SharedAllocator::new(spin::Mutex::new(allocator));
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| {
///             let span = shared.allocate(4).unwrap().unwrap();
///             shared.release(span).unwrap();
///         });
///     }
/// });
/// # Ok::<(), freelist_core::FreelistError>(())
/// ```
pub struct SharedAllocator<L, P, S = SpanMaps> {
    lock: L,
    of: PhantomData<fn() -> (P, S)>,
}

impl<L, P: PageSource, S: FreeSpans> SharedAllocator<L, P, S>
where
    L: Lock<PageAllocator<P, S>>,
{
    /// Shares the allocator in `lock`.
    #[must_use]
    pub const fn new(lock: L) -> Self {
        Self { lock, of: PhantomData }
    }

    /// Allocates `pages` contiguous pages, like [`PageAllocator::allocate`].
    ///
    /// # Errors
    /// As [`PageAllocator::allocate`].
    pub fn allocate(&self, pages: u64) -> Result<Option<Span>, AllocError<P::Error>> {
        self.lock.with(|allocator| allocator.allocate(pages))
    }

    /// Allocates what `request` asks for, like [`PageAllocator::allocate_where`].
    ///
    /// # Errors
    /// As [`PageAllocator::allocate_where`].
    pub fn allocate_where(&self, request: Request) -> Result<Option<Span>, AllocError<P::Error>> {
        self.lock.with(|allocator| allocator.allocate_where(request))
    }

    /// Makes pages free at once, like [`PageAllocator::release`].
    ///
    /// # Errors
    /// As [`PageAllocator::release`].
    pub fn release(&self, span: Span) -> Result<(), FreelistError> {
        self.lock.with(|allocator| allocator.release(span))
    }

    /// Makes several calls as one step, without calls of others between them.
    pub fn with<R>(&self, work: impl FnOnce(&mut PageAllocator<P, S>) -> R) -> R {
        self.lock.with(work)
    }
}

impl<L, P, S> fmt::Debug for SharedAllocator<L, P, S> {
    /// Omits the allocator: printing it would need the lock.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SharedAllocator").finish_non_exhaustive()
    }
}
