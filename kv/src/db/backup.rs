//! Hot copies of a state.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use freelist_core::PageId;

use crate::error::{Error, Result};
use crate::format::{Extension, Meta};
use crate::store::Link;
use crate::tree::Forest;
use crate::tx::ReadTx;

impl ReadTx<'_> {
    /// Writes this state to `target` as a whole database file, free pages included, and returns its length in bytes.
    /// O(bytes of the file).
    ///
    /// Write transactions can commit meanwhile. bbolt, etcd and this library open the copy. As in bbolt's copies, page 0
    /// holds the meta of this state, and page 1 holds the same meta with the previous transaction id.
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// let mut copy = Vec::new();
    /// let bytes = db.begin_read().write_to(&mut copy)?;
    /// assert_eq!(bytes, copy.len() as u64);
    /// # Ok::<_, kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::Stream`] if `target` fails.
    /// - [`Error::Store`] if the file cannot be read.
    /// - [`Error::Corrupt`] if a page is damaged, with [`Durability::Log`](crate::Durability::Log), where a walk tells which pages
    ///   are not in the file yet.
    pub fn write_to(&self, target: &mut impl Write) -> Result<u64> {
        const PIECE: u64 = 1 << 20;
        let (core, snapshot) = (self.core(), self.snapshot());
        let size = u64::from(core.page_size);
        let end = self.size();
        let mut copied = 0u64;
        let written = |source| Error::Stream { what: "write the copy", source };
        for (slot, tx) in [(0, snapshot.tx), (1, snapshot.tx.saturating_sub(1))] {
            let meta = Meta {
                page_size: core.page_size,
                flags: 0,
                root: snapshot.root,
                root_sequence: snapshot.root_sequence,
                freelist: snapshot.freelist,
                high_water: snapshot.high_water,
                tx,
                // An extension names pages of the file's newest state, and the copy is of this one.
                extension: Extension::NONE,
            };
            let mut page = vec![0; core.page_size as usize];
            meta.write(slot, &mut page);
            assert_eq!(Meta::parse(&page), Ok(meta), "a meta is read as it was written");
            target.write_all(&page).map_err(written)?;
            copied = copied.saturating_add(size);
        }
        assert!(copied < end, "the root of a state lies after the meta pages");
        let mut piece = Vec::new();
        let mut in_memory = self.resident_pages()?.into_iter().peekable();
        while copied < end {
            if let Some(page) = in_memory.next_if(|page| page.get().saturating_mul(size) == copied) {
                let (_, bytes) = self.pages().page(page)?;
                assert!(copied.saturating_add(bytes.len() as u64) <= end, "a page of a state lies below its mark");
                target.write_all(bytes).map_err(written)?;
                copied = copied.saturating_add(bytes.len() as u64);
                continue;
            }
            let next = in_memory.peek().map_or(end, |page| page.get().saturating_mul(size));
            let len = PIECE.min(next.saturating_sub(copied));
            piece.resize(usize::try_from(len).unwrap_or(0), 0);
            assert!(!piece.is_empty(), "each piece brings the copy nearer to its end");
            // By position and not through the map: free pages may be written at this moment.
            core.store.read_at(copied, &mut piece)?;
            target.write_all(&piece).map_err(written)?;
            copied = copied.saturating_add(piece.len() as u64);
        }
        assert_eq!(copied, end, "a copy ends at the high-water mark");
        Ok(copied)
    }

    /// The pages of this state that are in memory and not in the file, ascending; with a redo log, by a walk over all trees.
    fn resident_pages(&self) -> Result<Vec<PageId>> {
        let (pages, root) = (self.pages(), Link::page(PageId::new(self.snapshot().root)));
        if !pages.has_resident() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for visit in Forest::new(pages, root) {
            found.extend(Some(visit?.page.link.page_id()).filter(|page| pages.is_resident(page.get())));
        }
        found.sort_unstable();
        debug_assert!(found.is_sorted_by(|one, next| one < next), "a walk visits a page once");
        Ok(found)
    }

    /// Writes this state to a new file and returns its length in bytes. After a crash the file is whole or absent. On Unix
    /// the copy gets the permissions of the database's file. O(bytes of the file).
    ///
    /// # Errors
    /// - [`Error::Store`] if a file of this name exists or cannot be created, or the database cannot be read.
    /// - [`Error::Stream`] if the copy cannot be written.
    pub fn copy_file(&self, path: impl AsRef<Path>) -> Result<u64> {
        let mut copied = Ok(0);
        let made = pagefile_std::create_whole(path.as_ref(), &mut |file| {
            copy_permissions(self.core().path.as_deref(), file)?;
            let mut file = io::BufWriter::new(file);
            copied = self.write_to(&mut file);
            match &copied {
                Ok(_) => file.flush(),
                Err(_) => Err(io::Error::other("the copy was not finished")),
            }
        });
        match (copied, made) {
            (Ok(len), Ok(())) => {
                assert_eq!(len, self.size(), "a copy that was made is whole");
                Ok(len)
            }
            (Err(Error::Stream { source, .. }), _) => Err(Error::Stream { what: "write the copy", source }),
            (Err(error), _) => Err(error),
            (_, Err(error)) => Err(error.into()),
        }
    }

    /// Returns the root page of this state's root bucket. O(1).
    #[must_use]
    pub fn root_page(&self) -> PageId {
        PageId::new(self.snapshot().root)
    }
}

/// On Unix, gives the copy the permissions of the file at `source`; on other systems the directory decides. If the file
/// no longer has this name, only its owner can open the copy.
fn copy_permissions(source: Option<&Path>, copy: &File) -> io::Result<()> {
    match source.filter(|_| cfg!(unix)).map(Path::metadata) {
        Some(Ok(metadata)) => copy.set_permissions(metadata.permissions()),
        _ => Ok(()),
    }
}
