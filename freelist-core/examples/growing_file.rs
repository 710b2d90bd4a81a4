//! A file of 4 KiB pages under copy-on-write transactions: it grows if no free span fits, readers keep
//! what they see, and the free end goes back to the file system.
//!
//! `cargo run -p freelist-core --example growing_file`

use std::fs::File;
use std::io;

use freelist_core::{PageAllocator, PageId, PageSource, Request, Span, TxId};

const PAGE_BYTES: u64 = 4096;

/// Grows by 16 pages at a time.
struct FilePages {
    file: File,
    pages: u64,
}

impl PageSource for FilePages {
    type Error = io::Error;

    fn grow(&mut self, request: Request) -> io::Result<Option<Span>> {
        let beyond = Span::between(PageId::new(self.pages), PageId::new(i64::MAX as u64 / PAGE_BYTES));
        let Some(fit) = beyond.and_then(|beyond| request.fit(beyond)) else {
            return Ok(None);
        };
        let end = fit.end().get().next_multiple_of(16);
        self.file.set_len(end * PAGE_BYTES)?;
        let grown = Span::between(PageId::new(self.pages), PageId::new(end));
        self.pages = end;
        Ok(grown)
    }

    fn shrink(&mut self, free: Span) -> io::Result<bool> {
        let last = free.end().get() == self.pages;
        if last {
            self.file.set_len(free.start().get() * PAGE_BYTES)?;
            self.pages = free.start().get();
        }
        Ok(last)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("growing_file.{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?; // lives until it is closed
    let mut pages: PageAllocator<_> = PageAllocator::new(FilePages { file, pages: 0 });

    let mut root = pages.allocate_for(TxId::new(1), 3)?.ok_or("the file is full")?;
    pages.list_mut().commit(TxId::new(1));

    // A reader of state 1 stays open while ten transactions replace the root.
    let reader = TxId::new(1);
    for number in 2..12 {
        let tx = TxId::new(number);
        pages.list_mut().release_unseen(&[reader])?;
        let new = pages.allocate_for(tx, 3)?.ok_or("the file is full")?;
        pages.list_mut().free(tx, root)?;
        pages.list_mut().commit(tx);
        root = new;
    }
    // Only the pages that the reader sees are pending: those of the states between are free again.
    pages.list_mut().release_unseen(&[reader])?;
    assert_eq!(pages.list().pending_pages(), 3);
    assert_eq!(pages.source().pages, 16, "one growth was enough");

    pages.list_mut().release_unseen(&[])?;
    let given_back = pages.shrink()?;
    println!("root in {root}; {given_back} pages given back, the file has {} pages", pages.source().pages);
    Ok(())
}
