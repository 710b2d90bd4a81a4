//! The pages that are free, a bit for each, in the form in which the file keeps them: a page of bits for each region.

use std::iter;

use freelist_core::Span;

use crate::format::{PageSum, RegionPage};

/// All regions of a file, from its first page on. Those after the last have no free page.
#[derive(Debug)]
pub(super) struct Regions {
    page_size: u32,
    list: Vec<Region>,
    /// How many of them the file has bits of.
    stored: u64,
}

/// The pages that have their bits in one page.
#[derive(Clone, Default, Debug)]
struct Region {
    /// The page of bits; empty while no page of the region has ever been free.
    image: Vec<u8>,
    /// Where the file has them.
    stored: Option<PageSum>,
}

impl Regions {
    pub(super) const fn new(page_size: u32) -> Self {
        Self { page_size, list: Vec::new(), stored: 0 }
    }

    pub(super) const fn len(&self) -> u64 {
        self.list.len() as u64
    }

    pub(super) const fn stored_count(&self) -> u64 {
        self.stored
    }

    /// How many pages a region has.
    const fn pages(&self) -> u64 {
        RegionPage::pages(self.page_size)
    }

    /// How many regions a file of `pages` pages has.
    pub(super) const fn count_below(&self, pages: u64) -> u64 {
        pages.div_ceil(self.pages())
    }

    /// Where the last region of a file of `pages` pages ends.
    pub(super) const fn end_of(&self, pages: u64) -> u64 {
        self.count_below(pages).saturating_mul(self.pages())
    }

    /// Forgets the regions of which a file of `pages` pages has none. They have no free page, nor one of bits.
    pub(super) fn truncate(&mut self, pages: u64) {
        let count = usize::try_from(self.count_below(pages)).unwrap_or(usize::MAX);
        assert!(self.list.iter().skip(count).all(|past| past.stored.is_none()), "past the end lie no free pages");
        self.list.truncate(count);
    }

    /// The numbers of the regions that `span` lies in.
    pub(super) fn of(&self, span: Span) -> impl Iterator<Item = u64> + use<> {
        let region = |page: u64| page.checked_div(self.pages()).unwrap_or(0);
        region(span.start().get())..=region(span.last().get())
    }

    /// Notes that the pages of `span` are free, or are not. Whether this changed every one of them.
    pub(super) fn set(&mut self, span: Span, free: bool) -> bool {
        let mut changed = true;
        for number in self.of(span) {
            let first = number.saturating_mul(self.pages());
            let from = span.start().get().saturating_sub(first);
            let to = span.end().get().saturating_sub(first).min(self.pages());
            assert!(from < to, "the region has pages of the span");
            changed &= self.bits_mut(number).is_some_and(|bits| set_bits(bits, from, to, free));
        }
        changed
    }

    fn bits_mut(&mut self, number: u64) -> Option<&mut [u8]> {
        let len = self.page_size as usize;
        let region = self.at_mut(number)?;
        if region.image.is_empty() {
            region.image.resize(len, 0);
        }
        Some(RegionPage::bits_mut(&mut region.image))
    }

    fn at_mut(&mut self, number: u64) -> Option<&mut Region> {
        let at = usize::try_from(number).ok()?;
        if at >= self.list.len() {
            self.list.resize_with(at.saturating_add(1), Region::default);
        }
        self.list.get_mut(at)
    }

    fn at(&self, number: u64) -> Option<&Region> {
        self.list.get(usize::try_from(number).ok()?)
    }

    /// Whether a page of the region is free.
    pub(super) fn any_free(&self, number: u64) -> bool {
        self.at(number).is_some_and(|region| RegionPage::bits(&region.image).iter().any(|&byte| byte != 0))
    }

    /// Where the file has the bits of a region.
    pub(super) fn stored(&self, number: u64) -> Option<PageSum> {
        self.at(number)?.stored
    }

    /// Where the file has the bits of each region.
    pub(super) fn all_stored(&self) -> impl Iterator<Item = Option<PageSum>> {
        self.list.iter().map(|region| region.stored)
    }

    /// The bits of a region as page `page` of the file, where they are kept from now on; nowhere if there is no page.
    pub(super) fn store(&mut self, number: u64, page: Option<u64>) -> Option<Vec<u8>> {
        let len = self.page_size as usize;
        let region = self.at_mut(number)?;
        let image = page.map(|page| {
            region.image.resize(len, 0);
            RegionPage::seal(&mut region.image, page);
            (page, region.image.clone())
        });
        let stored = image.as_ref().map(|(page, image)| PageSum::of(*page, image));
        self.note(number, stored);
        image.map(|(_, image)| image)
    }

    /// The file keeps the bits of a region at `stored`.
    pub(super) fn note(&mut self, number: u64, stored: Option<PageSum>) {
        if stored.is_none() && number >= self.len() {
            return;
        }
        let Some(region) = self.at_mut(number) else { return };
        let before = std::mem::replace(&mut region.stored, stored);
        self.stored = self.stored.saturating_sub(before.is_some().into()).saturating_add(stored.is_some().into());
        assert!(self.stored <= self.len(), "a region has one page of bits");
    }

    /// The bits of a region are those of `image`.
    pub(super) fn load(&mut self, number: u64, image: &[u8]) {
        assert_eq!(image.len(), self.page_size as usize, "a page of bits is a page");
        if let Some(region) = self.at_mut(number) {
            region.image.clear();
            region.image.extend_from_slice(image);
        }
    }

    /// The free pages as bits: bit `b` of word `n` is of page `64 n + b`.
    pub(super) fn words(&self) -> impl Iterator<Item = u64> {
        assert_eq!(self.pages() % 64, 0, "a region has whole words");
        let words = usize::try_from(self.pages() / 64).unwrap_or(usize::MAX);
        self.list.iter().flat_map(move |region| {
            let none = if region.image.is_empty() { words } else { 0 };
            RegionPage::words(&region.image).chain(iter::repeat_n(0, none))
        })
    }

    /// The first free page from `page` on. O(regions / 64 from there).
    pub(super) fn first_free_from(&self, page: u64) -> Option<u64> {
        let number = page.checked_div(self.pages())?;
        let rest = self.list.get(usize::try_from(number).ok()?..)?;
        let mut from = page.saturating_sub(number.saturating_mul(self.pages()));
        for (number, region) in (number..).zip(rest) {
            let bits = RegionPage::bits(&region.image);
            let found = masks(std::mem::take(&mut from), self.pages())
                .find_map(|(at, mask)| Some((at, bits.get(at)? & mask)).filter(|(_, byte)| *byte != 0));
            if let Some((at, byte)) = found {
                let bit = (at as u64).saturating_mul(8).saturating_add(byte.trailing_zeros().into());
                return Some(number.saturating_mul(self.pages()).saturating_add(bit));
            }
        }
        None
    }

    /// Whether all pages of `span` are in use.
    pub(super) fn all_used(&self, span: Span) -> bool {
        let first = |number: u64| number.saturating_mul(self.pages());
        self.of(span).all(|number| {
            let Some(region) = self.at(number).filter(|region| !region.image.is_empty()) else { return true };
            let bits = RegionPage::bits(&region.image);
            let from = span.start().get().saturating_sub(first(number));
            let to = span.end().get().saturating_sub(first(number)).min(self.pages());
            masks(from, to).all(|(at, mask)| bits.get(at).is_none_or(|byte| byte & mask == 0))
        })
    }
}

/// Sets or clears the bits from `from` up to, but without, `to`. Whether each of them was different.
fn set_bits(bits: &mut [u8], from: u64, to: u64, on: bool) -> bool {
    let mut changed = true;
    for (at, mask) in masks(from, to) {
        let Some(byte) = bits.get_mut(at) else { return false };
        let (before, after) = if on { (0, mask) } else { (mask, 0) };
        changed &= *byte & mask == before;
        *byte = *byte & !mask | after;
    }
    changed
}

/// The bytes that have the bits from `from` up to, but without, `to`, and which bits of them these are.
fn masks(from: u64, to: u64) -> impl Iterator<Item = (usize, u8)> {
    assert!(from < to, "there is a bit");
    let last = to.saturating_sub(1);
    (from / 8..=last / 8).map(move |at| {
        let above = if at == from / 8 { 0xFF << (from % 8) } else { 0xFF };
        let below = if at == last / 8 { 0xFF >> (7 & !last) } else { 0xFF };
        (usize::try_from(at).unwrap_or(usize::MAX), above & below)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may fail by panicking")]
mod tests {
    use std::collections::BTreeSet;

    use freelist_core::{BitSpans, PageId};
    use proptest::prelude::*;

    use super::*;
    use crate::store::page_span;

    /// Pages of a region of 1 KiB pages.
    const REGION: u64 = 1008 * 8;

    fn span() -> impl Strategy<Value = Span> {
        let near = (0..3_u64, prop::sample::select(vec![0, 64, 8000, REGION - 70]), 0..140_u64, 1..140_u64);
        let near = near.prop_map(|(region, at, more, len)| (region * REGION + at + more, len));
        prop_oneof![8 => near, 1 => (2..2 * REGION, 1..3 * REGION)].prop_map(|(at, len)| page_span(at, len).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn bits_are_a_set_of_numbers(changes in prop::collection::vec((span(), any::<bool>()), 0..40)) {
            let (mut regions, mut set) = (Regions::new(1024), BTreeSet::new());
            for (span, free) in changes {
                let mut changed = true;
                for page in span.pages().map(PageId::get) {
                    changed &= if free { set.insert(page) } else { set.remove(&page) };
                }
                prop_assert_eq!(regions.set(span, free), changed);
                prop_assert_eq!(regions.all_used(span), !free);
            }
            let pages = BitSpans::new(regions.words()).flat_map(Span::pages).map(PageId::get);
            prop_assert!(pages.eq(set.iter().copied()));
            for number in 0..regions.len() {
                let any = set.range(number * REGION..(number + 1) * REGION).next().is_some();
                prop_assert_eq!(regions.any_free(number), any);
            }
        }
    }
}
