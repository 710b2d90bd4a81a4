//! Many keys at once.
//!
//! A search waits for memory: for what is remembered of the leaf, for the item's element, for its key. One search after the
//! other waits for each of them in turn. Here a group of searches takes each step together: their loads do not depend on
//! each other, so the memory system overlaps them.

use super::Root;
use super::search::{Search, find, find_in};
use crate::error::Result;
use crate::format::LeafEntry;
use crate::store::Pages;

/// How many searches take a step together: more than the loads that a processor has under way at a time, few enough for
/// what they have loaded to stay in the nearest cache.
const TOGETHER: usize = 32;

/// Gives `found` the item of each of `keys`, in the order of `keys`. O(keys x log n).
pub(crate) fn find_many<'t, K: AsRef<[u8]>>(
    pages: &Pages<'t>,
    root: Root<'t>,
    keys: &[K],
    mut found: impl FnMut(Option<LeafEntry<'t>>),
) -> Result<()> {
    let mut searches = Vec::with_capacity(TOGETHER.min(keys.len()));
    for keys in keys.chunks(TOGETHER) {
        searches.clear();
        for key in keys {
            let search = Search::new(root).descend(pages, key.as_ref(), true, |_, _| ());
            searches.push(search.unwrap_or_else(|_| Search::new(root)));
        }
        touch(&searches, |search| if let Search::Above(link, _) = search { pages.touch_remembered(*link) } else { 0 });
        for (search, key) in searches.iter_mut().zip(keys) {
            let further = search.clone().descend(pages, key.as_ref(), false, |_, _| ());
            *search = further.unwrap_or_else(|_| Search::new(root));
        }
        touch(&searches, |search| if let Search::Among(candidates) = search { candidates.touch() } else { 0 });
        assert_eq!(searches.len(), keys.len(), "each key has its search");
        for (search, key) in searches.iter().zip(keys) {
            // A search that met damage begins again alone.
            let item = match search.clone().arrived() {
                Ok(candidates) => find_in(pages, root, &candidates, key.as_ref())?,
                Err(_) => find(pages, root, key.as_ref())?,
            };
            found(item.map(|(_, entry)| entry));
        }
    }
    Ok(())
}

/// Loads what `load` says, for all searches in a loop of few instructions: a processor looks only so many ahead.
#[inline]
fn touch<'t>(searches: &[Search<'t>], load: impl Fn(&Search<'t>) -> u64) {
    std::hint::black_box(searches.iter().fold(0, |seen, search| seen ^ load(search)));
}
