//! Which map a store hands out, and how it grows.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::map::Map;
use crate::store::View;

/// The map of a store over its life.
#[derive(Debug)]
pub(crate) enum Mapping {
    /// A map with room to grow into, and its successors once the store has outgrown it. The first
    /// map stays until the store is dropped, because views borrow it without counting.
    Reserved { first: Arc<Map>, later: OnceLock<RwLock<Arc<Map>>> },
    /// A map without room: every growth makes a new one, and the last view frees the old one.
    Moving(RwLock<Arc<Map>>),
}

impl Mapping {
    pub(crate) fn reserved(map: Map) -> Mapping {
        Mapping::Reserved { first: Arc::new(map), later: OnceLock::new() }
    }

    pub(crate) fn moving(map: Map) -> Mapping {
        Mapping::Moving(RwLock::new(Arc::new(map)))
    }

    #[inline]
    pub(crate) fn view(&self) -> View<'_> {
        match self {
            Mapping::Reserved { first, later } => match later.get() {
                None => View::Fixed(first),
                Some(current) => View::Kept(load(current)),
            },
            Mapping::Moving(current) => View::Kept(load(current)),
        }
    }

    pub(crate) fn view_owned(&self) -> View<'static> {
        View::Kept(self.current())
    }

    /// The current map.
    pub(crate) fn current(&self) -> Arc<Map> {
        match self {
            Mapping::Reserved { first, later } => match later.get() {
                None => Arc::clone(first),
                Some(current) => {
                    let current = load(current);
                    assert!(current.len() >= first.len(), "a later map shows all bytes of the first one");
                    current
                }
            },
            Mapping::Moving(current) => load(current),
        }
    }

    /// Shows bytes up to `len`: in the current map if it has room, else in the one that `next`
    /// makes. One caller at a time; an error changes nothing.
    pub(crate) fn grow<E>(&self, len: u64, next: impl FnOnce(&Map) -> Result<Map, E>) -> Result<(), E> {
        let now = self.current();
        if now.extend(len) {
            return Ok(());
        }
        let next = Arc::new(next(&now)?);
        assert!(next.len() >= len && len >= now.len(), "a new map shows all old bytes and all new ones");
        let current = match self {
            Mapping::Reserved { later, .. } => later.get_or_init(|| RwLock::new(Arc::clone(&now))),
            Mapping::Moving(current) => current,
        };
        let left = std::mem::replace(&mut *current.write().unwrap_or_else(PoisonError::into_inner), next);
        assert!(Arc::ptr_eq(&left, &now), "growth runs once at a time, so nobody else has moved the map");
        Ok(())
    }

    /// Stops showing the bytes past `len`. Nobody may look at them any more, also in a map that was the current one
    /// before.
    pub(crate) fn shorten(&self, len: u64) {
        if let Mapping::Reserved { first, .. } = self {
            first.shorten(len);
        }
        self.current().shorten(len);
    }

    /// The first map, if it is still the current one and nobody else has it.
    #[cfg(feature = "sim")]
    pub(crate) fn sole_map(&mut self) -> Option<&mut Map> {
        match self {
            Mapping::Reserved { first, later } if later.get().is_none() => Arc::get_mut(first),
            _ => None,
        }
    }
}

/// The lock guards one pointer, which a panic cannot leave half-written.
fn load(current: &RwLock<Arc<Map>>) -> Arc<Map> {
    Arc::clone(&current.read().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(len: u64, room: u64, fill: u8) -> Map {
        let map = Map::in_memory(len, room).unwrap();
        map.write(0, &vec![fill; usize::try_from(len).unwrap()]);
        map
    }

    #[test]
    fn a_reserved_map_moves_only_when_outgrown() {
        let mapping = Mapping::reserved(map(10, 100, 1));
        let early = mapping.view();
        mapping.grow(100, |_| -> Result<Map, ()> { panic!("there is room") }).unwrap();
        assert!(matches!(mapping.view(), View::Fixed(_)));
        assert_eq!(early.len(), 100);

        mapping.grow(101, |_| Ok::<_, ()>(map(101, 0, 2))).unwrap();
        mapping.grow(102, |_| Ok::<_, ()>(map(102, 0, 3))).unwrap();
        let late = mapping.view();
        assert!(matches!(late, View::Kept(_)));
        assert_eq!(late.bytes(0, 102), Some(&[3; 102][..]));
        assert_eq!(early.bytes(0, 10), Some(&[1; 10][..]));
    }

    #[test]
    fn an_old_map_goes_with_its_last_view() {
        let mapping = Mapping::moving(map(10, 0, 1));
        let view = mapping.view();
        let View::Kept(old) = &view else {
            panic!("a moving map is counted");
        };
        let old = Arc::downgrade(old);
        mapping.grow(20, |_| Ok::<_, ()>(map(20, 0, 2))).unwrap();
        assert_eq!(view.bytes(0, 10), Some(&[1; 10][..]));
        drop(view);
        assert!(old.upgrade().is_none());
    }

    #[test]
    fn a_failed_growth_changes_nothing() {
        let mapping = Mapping::moving(map(10, 0, 1));
        assert_eq!(mapping.grow(20, |_| Err("no room")), Err("no room"));
        assert_eq!(mapping.view().len(), 10);
    }
}
