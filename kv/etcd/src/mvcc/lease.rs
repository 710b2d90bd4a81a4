//! Leases: ids with a time to live, and the keys that go with them.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher as _;
use std::time::{Duration, Instant};

use bytes::Bytes;

/// The longest life in seconds.
pub(super) const TTL_MAX: i64 = 9_000_000_000;

/// A lease in memory.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    /// Seconds that it was granted.
    pub(super) ttl: i64,
    /// Seconds that its row says it has left; 0 if the row says nothing.
    pub(super) remaining: i64,
    expires: Instant,
    keys: BTreeSet<Bytes>,
}

impl Lease {
    /// A lease that begins to run now.
    pub(super) fn new(ttl: i64, remaining: i64) -> Self {
        const { assert!(TTL_MAX < i64::MAX / 1000, "times are counted in smaller units, too") };
        let left = if remaining > 0 { remaining } else { ttl };
        Self { ttl, remaining, expires: after(left), keys: BTreeSet::new() }
    }

    /// Seconds that are left, rounded down.
    fn left(&self) -> i64 {
        self.expires.saturating_duration_since(Instant::now()).as_secs().cast_signed()
    }
}

fn after(seconds: i64) -> Instant {
    let seconds = seconds.clamp(0, TTL_MAX).unsigned_abs();
    Instant::now() + Duration::from_secs(seconds)
}

/// All leases.
#[derive(Debug, Default)]
pub(super) struct Lessor {
    leases: BTreeMap<i64, Lease>,
    /// The lease of each key that has one.
    items: HashMap<Bytes, i64>,
    /// Leases in the order in which they expire.
    expiry: BTreeSet<(Instant, i64)>,
    /// Expired leases whose end waits for its turn.
    ending: BTreeSet<i64>,
}

impl Lessor {
    pub(super) fn len(&self) -> usize {
        self.leases.len()
    }

    pub(super) fn has_items(&self) -> bool {
        !self.items.is_empty()
    }

    pub(super) fn contains(&self, id: i64) -> bool {
        self.leases.contains_key(&id)
    }

    /// An id that is not in use: positive, and of no pattern.
    pub(super) fn new_id(&self) -> i64 {
        loop {
            let random = RandomState::new().hash_one(self.leases.len());
            let id = (random >> 1).cast_signed();
            if id != 0 && !self.contains(id) {
                return id;
            }
        }
    }

    pub(super) fn insert(&mut self, id: i64, lease: Lease) {
        self.expiry.insert((lease.expires, id));
        let replaced = self.leases.insert(id, lease);
        debug_assert!(replaced.is_none(), "a lease is granted once");
        debug_assert_eq!(self.leases.len(), self.expiry.len(), "each lease has its time");
    }

    /// The lease must have no keys any more.
    pub(super) fn remove(&mut self, id: i64) -> Option<Lease> {
        let lease = self.leases.remove(&id)?;
        debug_assert!(lease.keys.is_empty(), "its keys were deleted first");
        let was_there = self.expiry.remove(&(lease.expires, id));
        debug_assert!(was_there, "a lease has its time");
        self.ending.remove(&id);
        debug_assert_eq!(self.leases.len(), self.expiry.len(), "each lease has its time");
        Some(lease)
    }

    /// Attaches a key to a lease, or to none for 0, and returns what it was attached to. A lease that is not there is
    /// noted all the same: the key's row names it.
    pub(super) fn attach(&mut self, key: &Bytes, id: i64) -> i64 {
        let old = if id == 0 { self.items.remove(key) } else { self.items.insert(key.clone(), id) }.unwrap_or(0);
        if old != id {
            if let Some(lease) = self.leases.get_mut(&old) {
                let was_there = lease.keys.remove(key);
                debug_assert!(was_there, "a key is attached on both sides");
            }
            if let Some(lease) = self.leases.get_mut(&id) {
                let is_new = lease.keys.insert(key.clone());
                debug_assert!(is_new, "a key has one lease");
            }
        }
        old
    }

    /// The keys of a lease in their order; none if there is no such lease.
    pub(super) fn keys(&self, id: i64) -> Option<Vec<Bytes>> {
        self.leases.get(&id).map(|lease| lease.keys.iter().cloned().collect())
    }

    /// Starts a lease's time anew. Returns its time, and whether its row says that less is left; none if the lease is not
    /// there, or has expired.
    pub(super) fn renew(&mut self, id: i64) -> Option<(i64, bool)> {
        if self.ending.contains(&id) {
            return None;
        }
        let lease = self.leases.get_mut(&id).filter(|lease| lease.expires > Instant::now())?;
        let was_there = self.expiry.remove(&(lease.expires, id));
        debug_assert!(was_there, "a lease has its time");
        lease.expires = after(lease.ttl);
        self.expiry.insert((lease.expires, id));
        Some((lease.ttl, lease.remaining > 0))
    }

    /// Seconds left, and granted.
    pub(super) fn time(&self, id: i64) -> Option<(i64, i64)> {
        self.leases.get(&id).map(|lease| (lease.left(), lease.ttl))
    }

    /// Ids, those that expire first in front.
    pub(super) fn ids(&self) -> Vec<i64> {
        self.expiry.iter().map(|(_, id)| *id).collect()
    }

    /// Up to `max` leases whose time is over, and that nobody was told of before.
    pub(super) fn expired(&mut self, max: usize) -> Vec<i64> {
        let now = Instant::now();
        let over = self.expiry.iter().take_while(|(expires, _)| *expires <= now).map(|(_, id)| *id);
        let new: Vec<i64> = over.filter(|id| !self.ending.contains(id)).take(max).collect();
        debug_assert!(new.iter().all(|id| self.leases.contains_key(id)), "only leases end");
        self.ending.extend(&new);
        new
    }

    /// Whether a lease's time is over, and its end was told.
    pub(super) fn is_ending(&self, id: i64) -> bool {
        self.ending.contains(&id)
    }

    /// The end of a lease failed: it is tried again.
    pub(super) fn not_ended(&mut self, id: i64) {
        self.ending.remove(&id);
    }

    /// What the rows of leases should say: all whose time has gone on by a second or more.
    pub(super) fn times_left(&self) -> Vec<(i64, i64)> {
        let left = self.leases.iter().map(|(id, lease)| (*id, lease.left().max(1), lease));
        left.filter(|(_, left, lease)| *left < lease.ttl && *left != lease.remaining)
            .map(|(id, left, _)| (id, left))
            .collect()
    }

    /// The row of a lease now says that `remaining` seconds are left. Returns the lease's time, and what the row said.
    pub(super) fn set_remaining(&mut self, id: i64, remaining: i64) -> Option<(i64, i64)> {
        let lease = self.leases.get_mut(&id)?;
        Some((lease.ttl, std::mem::replace(&mut lease.remaining, remaining)))
    }
}
