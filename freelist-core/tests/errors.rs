//! An error says in words what is wrong, where, and what to do; numbers go in and out of their types unchanged.

#[macro_use]
extern crate kv_testkit;

use core::convert::Infallible;

use freelist_core::{
    AllocError, FreeSpans, FreelistError, PageAllocator, PageId, PageSource, Request, SortedArray, Span, SpanMaps, TxId,
};

#[test]
fn each_error_names_its_numbers_and_a_remedy() {
    let (page, tx) = (PageId::new(41), TxId::new(7));
    let cases = [
        (FreelistError::InvalidSpan { start: page, len: 3 }, vec!["41", "3 pages", "at least 1 page"]),
        (FreelistError::EmptyRequest, vec!["at least 1"]),
        (FreelistError::InvalidAlignment { pages: 3 }, vec!["3 pages", "a power of two"]),
        (FreelistError::DoubleFree { page }, vec!["page 41", "released twice"]),
        (FreelistError::NotFree { page }, vec!["page 41", "only free pages"]),
        (FreelistError::NotAllocated { page, tx }, vec!["transaction 7", "page 41", "free the page"]),
        (FreelistError::OutOfMemory, vec!["release memory"]),
        (FreelistError::BadSource { page }, vec!["page 41", "conformance suite"]),
    ];
    for (error, words) in cases {
        let said = error.to_string();
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
}

#[test]
fn numbers_are_what_they_were() {
    for number in [0, 1, 41, u64::MAX] {
        assert_eq!(u64::from(PageId::from(number)), number);
        assert_eq!(u64::from(TxId::from(number)), number);
        assert_eq!(
            (PageId::new(number).to_string(), TxId::new(number).to_string()),
            (number.to_string(), number.to_string())
        );
        assert_eq!(TxId::new(number).prev().map(u64::from), number.checked_sub(1));
        assert_eq!(TxId::new(number).next().map(u64::from), number.checked_add(1));
    }
}

#[cfg(feature = "image")]
#[test]
fn a_damaged_image_is_named_with_its_place() {
    let said = FreelistError::BadImage { offset: 12, what: "cut short" }.to_string();
    assert!(["byte 12", "cut short", "rebuild it"].iter().all(|word| said.contains(word)), "{said}");
}

/// Supplies one page, whatever was asked for.
#[derive(Debug)]
struct Short;

impl PageSource for Short {
    type Error = Infallible;

    fn grow(&mut self, _: Request) -> Result<Option<Span>, Infallible> {
        Ok(Span::new(PageId::new(6), 1).ok())
    }
}

#[test]
fn a_source_that_supplies_too_little_is_named_with_its_page() {
    let mut pages: PageAllocator<_> = PageAllocator::new(Short);
    let wrong = AllocError::Freelist(FreelistError::BadSource { page: PageId::new(6) });
    assert_eq!(pages.allocate(2), Err(wrong));
    assert_eq!(pages.list().free_pages(), 0, "the page is not kept");
}

#[test]
fn a_boxed_set_is_the_set() {
    fn filled<S: FreeSpans>(mut set: S) -> (usize, Vec<Span>) {
        let window = Span::new(PageId::new(0), 1000).unwrap();
        set.reserve(10, window).unwrap();
        let kept = set.memory_bytes();
        set.release(Span::new(PageId::new(5), 2).unwrap()).unwrap();
        assert!(kept > 0 && set.memory_bytes() == kept, "room was made ahead");
        let mut spans = Vec::new();
        set.for_each_span(&mut |span| spans.push(span));
        (kept, spans)
    }
    assert_eq!(filled(Box::new(SortedArray::new())), filled(SortedArray::new()));
    assert_eq!(filled(Box::new(SpanMaps::new())), filled(SpanMaps::new()));
}

#[test]
fn a_set_is_walked_by_reference_and_a_prefix_of_nothing_is_none() {
    let span = Span::new(PageId::new(5), 2).unwrap();
    let mut set = SpanMaps::new();
    set.release(span).unwrap();
    assert_eq!((&set).into_iter().collect::<Vec<_>>(), [span]);
    assert_eq!((span.prefix(0), span.prefix(9)), (None, Some(span)));
}
