//! The numbers of pages and of transactions.
//!
//! Only this file adds to a page number or subtracts from one, so no other part of the crate can
//! overflow.

use core::fmt;

/// The number of a page: its place in the file, flash or memory, counted in pages.
///
/// ```
/// use freelist_core::PageId;
///
/// let page = PageId::new(7);
/// assert_eq!(page.checked_add(3), Some(PageId::new(10)));
/// assert_eq!(page.checked_sub(8), None);
/// assert_eq!(PageId::new(u64::MAX).next(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PageId(u64);

impl PageId {
    /// The page with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The page's number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The page `pages` further on, or `None` beyond `u64::MAX`.
    #[must_use]
    pub const fn checked_add(self, pages: u64) -> Option<Self> {
        match self.0.checked_add(pages) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The page `pages` before this one, or `None` below 0.
    #[must_use]
    pub const fn checked_sub(self, pages: u64) -> Option<Self> {
        match self.0.checked_sub(pages) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number of pages from `earlier` to this page; `None` if this page lies before `earlier`.
    ///
    /// ```
    /// # use freelist_core::PageId;
    /// assert_eq!(PageId::new(7).distance_from(PageId::new(4)), Some(3));
    /// assert_eq!(PageId::new(4).distance_from(PageId::new(7)), None);
    /// ```
    #[must_use]
    pub const fn distance_from(self, earlier: Self) -> Option<u64> {
        self.0.checked_sub(earlier.0)
    }

    /// The page `pages` further on, for a caller who knows that there is one.
    pub(crate) const fn plus(self, pages: u64) -> Self {
        debug_assert!(self.0.checked_add(pages).is_some(), "the page number fits in 64 bits");
        Self(self.0.wrapping_add(pages))
    }

    /// The page after this one, or `None` for page `u64::MAX`.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl fmt::Display for PageId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl From<u64> for PageId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<PageId> for u64 {
    fn from(page: PageId) -> Self {
        page.0
    }
}

/// The number of a write transaction. It also names the state that a reader sees: by the last
/// transaction whose changes are in it. 0 is the state before every transaction.
///
/// ```
/// use freelist_core::TxId;
///
/// let tx = TxId::new(7);
/// assert_eq!(tx.next(), Some(TxId::new(8)));
/// assert_eq!(TxId::new(0).prev(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TxId(u64);

impl TxId {
    /// The transaction with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The transaction's number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The transaction after this one, or `None` for `u64::MAX`.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The transaction before this one, or `None` for 0.
    #[must_use]
    pub const fn prev(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl From<u64> for TxId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<TxId> for u64 {
    fn from(tx: TxId) -> Self {
        tx.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_in_and_comes_out() {
        for number in [0, 1, 7, u64::MAX] {
            assert_eq!(u64::from(PageId::from(number)), number);
            assert_eq!(u64::from(TxId::from(number)), number);
            assert_eq!(PageId::from(number), PageId::new(number));
            assert_eq!(TxId::from(number), TxId::new(number));
        }
    }
}
