//! The B+tree: seek, iterate, put, delete, split, merge, pack.
//!
//! **Invariant:** nothing here sees a file or a transaction; it reads through [`Pages`](crate::store::Pages) and
//! changes a [`WriteSet`](crate::store::WriteSet). Every descent is bounded by [`DEPTH_MAX`](crate::format::DEPTH_MAX).

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod count;
mod cursor;
mod delete_range;
mod difference;
mod discard;
mod edit;
mod forest;
mod many;
mod order;
mod overwrite;
mod pack;
mod path;
mod range;
mod reach;
mod rebalance;
mod retain;
mod search;
mod shared;
mod spill;
mod split;
mod tail;
mod walk;

pub(crate) use count::count_pairs;
pub(crate) use cursor::Cursor;
pub(crate) use difference::{Difference, differences};
pub(crate) use discard::discard;
pub(crate) use edit::Tree;
pub(crate) use forest::Forest;
pub(crate) use many::find_many;
pub(crate) use order::{disorder, unfit};
pub(crate) use overwrite::overwrite_header;
pub(crate) use pack::pack;
pub(crate) use path::Path;
pub(crate) use range::Range;
pub(crate) use reach::reach;
pub(crate) use rebalance::rebalance;
pub(crate) use search::{Root, find};
pub(crate) use shared::with_places;
pub(crate) use spill::{patch_children, spill_order};
pub(crate) use tail::{Next, Place, TailWalk};
pub(crate) use walk::{Visit, Walk};

const MORE_LINKS: &str = "tree has more pages than the file: pages are shared";
const TOO_DEEP: &str = "tree is deeper than 64 levels: pages lead in a circle";
