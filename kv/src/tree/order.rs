//! Whether what a page holds is in order, so that a search finds every key of it and a copy can hold it.

use super::Visit;
use crate::error::Result;
use crate::format::{MAX_KEY_SIZE, MAX_VALUE_SIZE, Node};

/// Reports everything that is wrong with the keys of a page. O(keys).
///
/// # Errors
/// `Corrupt` if an element cannot be read.
pub(crate) fn disorder(visit: &Visit<'_>, report: &mut dyn FnMut(&'static str)) -> Result<()> {
    let page = visit.page;
    if page.located(page.node.packed_size())? > page.node.page_len() {
        report("elements overlap");
    }
    let mut before: Option<&[u8]> = None;
    for index in 0..page.node.count() {
        let key = match &page.node {
            Node::Branch(branch) => page.located(branch.key(index))?,
            Node::Leaf(leaf) => {
                let entry = page.entry(leaf, index)?;
                unfit(entry.key, entry.value, entry.is_bucket()).into_iter().for_each(&mut *report);
                entry.key
            }
        };
        if before.is_some_and(|before| before >= key) {
            report("keys do not ascend");
            return Ok(());
        }
        before = Some(key);
    }
    assert_eq!(before.is_some(), page.node.count() > 0, "every key of a page in order has been read");
    let (low, high) = visit.bounds;
    if let (Some(low), Some(first)) = (low, page.first_key()?)
        && first < low
    {
        report("first key is less than its parent says");
    }
    if let (Some(high), Some(last)) = (high, before)
        && last >= high
    {
        report("last key is not less than the next page's first");
    }
    Ok(())
}

/// Why no bucket takes this item, if none does. Names of buckets may be longer than keys.
pub(crate) fn unfit(key: &[u8], value: &[u8], is_bucket: bool) -> Option<&'static str> {
    if key.is_empty() {
        Some("key is empty")
    } else if !is_bucket && key.len() > MAX_KEY_SIZE {
        Some("key is longer than 32,768 bytes")
    } else if !is_bucket && value.len() > MAX_VALUE_SIZE {
        Some("value is longer than 2^31 - 2 bytes")
    } else {
        None
    }
}
