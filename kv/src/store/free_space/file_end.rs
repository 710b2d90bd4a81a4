//! The end of the file, as a source of pages.

use std::convert::Infallible;

use freelist_core::{PageId, PageSource, Request, Span};

/// Hands out the pages after the high-water mark, and takes them back.
///
/// The high-water mark only counts pages. The file itself grows when a commit writes to these pages.
#[derive(Debug)]
pub(crate) struct FileEnd {
    high_water: PageId,
    /// The first page number that the option `max_size`, or the 64-bit offset of a byte, leaves out.
    limit: PageId,
}

impl FileEnd {
    /// A file whose pages from `high_water` on were never allocated, and that may have `max_bytes` bytes.
    pub(super) fn new(high_water: u64, page_size: u32, max_bytes: Option<u64>) -> Self {
        assert!(high_water >= 2, "the two meta pages lie below the high-water mark");
        assert!(page_size > 0, "a page has bytes");
        let limit = max_bytes.unwrap_or(u64::MAX).checked_div(page_size.into()).unwrap_or(0);
        Self { high_water: PageId::new(high_water), limit: PageId::new(limit) }
    }

    /// The first page number that the file may not have.
    pub(super) const fn limit(&self) -> PageId {
        self.limit
    }

    pub(super) const fn high_water(&self) -> PageId {
        self.high_water
    }
}

impl PageSource for FileEnd {
    type Error = Infallible;

    fn grow(&mut self, request: Request) -> Result<Option<Span>, Infallible> {
        let Some(fit) = Span::between(self.high_water, self.limit).and_then(|rest| request.fit(rest)) else {
            return Ok(None);
        };
        // Pages before an aligned or distant span come with it, and are free.
        let supplied = Span::between(self.high_water, fit.end());
        assert!(fit.end() > self.high_water, "growing raises the high-water mark");
        self.high_water = fit.end();
        Ok(supplied)
    }

    fn shrink(&mut self, free: Span) -> Result<bool, Infallible> {
        let last = free.end() == self.high_water;
        if last {
            assert!(free.start().get() >= 2, "the meta pages are never free");
            self.high_water = free.start();
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_file_is_a_page_source() {
        freelist_core::conformance::page_source(|| FileEnd::new(4, 1024, Some(1 << 20)));
    }

    #[test]
    fn a_limit_in_bytes_is_kept_to_the_page() {
        let mut end = FileEnd::new(4, 1024, Some(6 * 1024 + 1023));
        assert_eq!(end.grow(Request::new(3)), Ok(None));
        assert_eq!(end.grow(Request::new(2)).map(|span| span.map(Span::len)), Ok(Some(2)));
        assert_eq!(end.grow(Request::new(1)), Ok(None));
        assert_eq!(end.high_water(), PageId::new(6));
    }
}
