//! An error says in words what is wrong, where, and what to do; numbers go in and out of their types unchanged.

use freelist_core::{FreelistError, PageId, TxId};

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
