//! The two places in a damaged file that lead to one page.

use freelist_core::PageId;

use super::Forest;
use crate::error::{Error, Name, Result};
use crate::format::{BucketHeader, Node};
use crate::store::{Link, PageRef, Pages, SHARED};

/// `error`, and if it is that of a page which the trees below `root` use in two places, with these places.
///
/// O(pages): another walk, which only a damaged file takes.
pub(crate) fn with_places(pages: Pages<'_>, root: Link, error: Error) -> Error {
    let Error::Corrupt { page, what } = &error else { return error };
    if what != SHARED {
        return error;
    }
    let mut places = Vec::new();
    for visit in Forest::new(pages, root).flatten() {
        // What cannot be read there has an error of its own.
        _ = links(&visit.page, &mut |link, place| {
            if covers(pages, link, *page) {
                places.push(place());
            }
        });
        if places.len() > 1 {
            break;
        }
    }
    if covers(pages, root, *page) {
        places.insert(0, "the meta page".to_owned());
    }
    let what = match &places[..] {
        [one, other, ..] => format!("{SHARED}: by {one}, and by {other}").into(),
        _ => SHARED.into(),
    };
    Error::Corrupt { page: *page, what }
}

/// Whether `page` is one of the pages of the node that `link` leads to.
fn covers(pages: Pages<'_>, link: Link, page: PageId) -> bool {
    let first = link.page_id();
    let extent = pages.extent(link).unwrap_or(1);
    assert!(extent > 0 || link.in_memory(), "a node in the file takes a page at least");
    !link.in_memory() && first <= page && page.get().saturating_sub(first.get()) < extent
}

/// Every link in a node, with words for where it is.
fn links(page: &PageRef<'_>, each: &mut dyn FnMut(Link, &dyn Fn() -> String)) -> Result<()> {
    let at = page.link.page_id();
    match &page.node {
        Node::Branch(branch) => {
            for index in 0..branch.count() {
                each(page.child(branch, index)?, &|| format!("page {at}"));
            }
        }
        Node::Leaf(leaf) => {
            for index in (0..leaf.count()).filter(|&index| leaf.is_bucket(index)) {
                let entry = page.entry(leaf, index)?;
                let header = page.located(BucketHeader::parse(entry.value))?;
                let place = || format!("the bucket {} in page {at}", Name(entry.key));
                each(Link::from_raw(header.root), &place);
            }
        }
    }
    Ok(())
}
