//! The thread that ends leases whose time is over, and notes now and then how long the others have.

use std::sync::mpsc::channel;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::locked::{lock, wait_for};
use super::queue::Job;
use super::request::{LeaseCheckpointRequest, LeaseRevokeRequest};
use super::shared::Shared;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(500);
/// Most leases that end at once.
const LEASES: usize = 500;

/// Tells the thread to end.
#[derive(Default)]
pub(super) struct Expiry {
    closed: Mutex<bool>,
    woken: Condvar,
}

impl Expiry {
    pub(super) fn close(&self) {
        *lock(&self.closed) = true;
        self.woken.notify_all();
    }

    /// Lets time pass. Returns whether the thread should go on.
    fn pause(&self) -> bool {
        let closed = lock(&self.closed);
        !*closed && !*wait_for(&self.woken, closed, EVERY)
    }
}

/// The thread.
pub(super) fn run(shared: &Shared) {
    let mut noted = Instant::now();
    while shared.expiry.pause() {
        if !shared.options.lease_expiry {
            continue;
        }
        end_expired(shared);
        if noted.elapsed() >= shared.options.lease_checkpoint_interval {
            noted = Instant::now();
            let leases = lock(&shared.lessor).times_left();
            if !leases.is_empty() {
                // Nobody waits: if it fails, the next one says the same.
                shared.queue.hand(Job::LeaseCheckpoint(LeaseCheckpointRequest { leases }, Box::new(drop)));
            }
        }
    }
}

/// Ends leases as a client would, many in one commit.
fn end_expired(shared: &Shared) {
    let expired = lock(&shared.lessor).expired(LEASES);
    debug_assert!(expired.len() <= LEASES, "a commit is not held up by all of them");
    let (tell, told) = channel();
    for id in expired {
        let tell = tell.clone();
        let answer = Box::new(move |result: super::Result<_>| {
            // Whoever asks is gone only when the store is closed.
            let _ = tell.send((id, result.is_ok()));
        });
        shared.queue.hand(Job::LeaseRevoke(LeaseRevokeRequest { id }, answer));
    }
    drop(tell);
    for (id, ended) in told {
        debug_assert!(!ended || !lock(&shared.lessor).is_ending(id), "a lease that has ended is not about to end");
        if !ended {
            lock(&shared.lessor).not_ended(id);
        }
    }
}
