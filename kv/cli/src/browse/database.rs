//! The open file behind the screen. It is opened here and nowhere else, and each question is answered from the newest state.

use std::ops::Bound;
use std::path::Path as FilePath;
use std::sync::Arc;

use kv::surgery::{RawFile, RawItem, RawPage};
use kv::{Bucket, Db, KeyRange, Options, PageId, Peek, ReadTx, prefix};
use pagefile_std::PageStore;

use super::items::{Change, Found, Item, Items, Map, PageFacts, Path, Place};
use crate::arguments::bucket_path::{bucket, bucket_mut};
use crate::failure::{Failure, Result};
use crate::files::open;
use crate::files::survey::{Survey, most};
use crate::terminal::Terminal;

/// A file of more pages has no map beside it: drawing it would read every page.
const MAP_PAGES_MAX: u64 = 1 << 18;
/// Bytes before the elements of a page, and of an element.
const PAGE_HEADER: usize = 16;
const ELEMENT: usize = 16;
/// No tree is as deep; a damaged one may lead in a circle.
const DEPTH_MAX: usize = 64;

pub(crate) struct Database {
    access: Access,
    writable: bool,
}

/// How the file is looked into.
enum Access {
    /// Its lock is held.
    Held(Db, Arc<dyn PageStore>),
    /// Another program may write to it, between one question and the next or during one, which is then asked again.
    Live(Peek),
}

impl Database {
    /// Opens the file, to change it or only to read it; with `--live` without its lock.
    pub(crate) fn open(path: &FilePath, writable: bool, terminal: &mut Terminal<'_>) -> Result<Self> {
        let access = if let Some(peek) = &terminal.live {
            Access::Live(peek.clone())
        } else {
            let (db, pages) = open::with_pages(path, writable, terminal)?;
            Access::Held(db, pages)
        };
        debug_assert!(!writable || matches!(access, Access::Held(..)), "who changes a file holds it");
        Ok(Self { access, writable })
    }

    /// The answer of the newest state, with its pages.
    fn ask<T>(&self, question: impl Fn(&Db, &Arc<dyn PageStore>) -> Result<T>) -> Result<T> {
        match &self.access {
            Access::Held(db, pages) => question(db, pages),
            Access::Live(peek) => peek.retry(|now| {
                let pages: Arc<dyn PageStore> = Arc::new(now.pages()?);
                let db = Options::new().read_only(true).read_cache(0).open_store(Box::new(Arc::clone(&pages)))?;
                question(&db, &pages)
            }),
        }
    }
}

fn at<'t>(tx: &'t ReadTx<'_>, path: &Path) -> Result<Bucket<'t>> {
    bucket(tx, path)
}

fn item((key, value): kv::Item<'_>) -> Item {
    Item { key: key.to_vec(), len: value.map(<[u8]>::len) }
}

impl Items for Database {
    fn item(&self, path: &Path, place: Place<'_>, beginning: &[u8]) -> Result<Option<Item>> {
        self.ask(|db, _| {
            let tx = db.begin_read();
            let (bucket, within) = (at(&tx, path)?, prefix(beginning));
            let (start, end) = (within.start(), within.end());
            let found = match place {
                Place::First => bucket.items(within).next(),
                Place::Last => bucket.items(within).next_back(),
                Place::After(key) => bucket.items((Bound::Excluded(key), end)).next(),
                Place::From(key) if key < beginning => bucket.items(within).next(),
                Place::From(key) => bucket.items((Bound::Included(key), end)).next(),
                Place::Before(key) => bucket.items((start, Bound::Excluded(key))).next_back(),
            };
            Ok(found.transpose()?.map(item))
        })
    }

    fn value(&self, path: &Path, key: &[u8], limit: usize) -> Result<Option<Vec<u8>>> {
        self.ask(|db, _| {
            let tx = db.begin_read();
            let value = at(&tx, path)?.get(key)?;
            Ok(value.map(|value| value.get(..limit).unwrap_or(value).to_vec()))
        })
    }

    fn search(&self, path: &Path, key: Option<&[u8]>, text: &[u8], limit: usize) -> Result<Found> {
        self.ask(|db, _| {
            let tx = db.begin_read();
            let start = key.map_or(Bound::Unbounded, Bound::Excluded);
            let mut looked = 0;
            for found in at(&tx, path)?.items((start, Bound::Unbounded)) {
                let (key, value) = found?;
                if text.is_empty() || key.windows(text.len()).any(|window| window == text) {
                    return Ok(Found::Item(item((key, value))));
                }
                looked += 1;
                if looked == limit {
                    return Ok(Found::NotYet(key.to_vec()));
                }
            }
            Ok(Found::Nowhere)
        })
    }

    fn pages(&self, path: &Path, key: &[u8]) -> Result<Vec<PageFacts>> {
        self.ask(|db, pages| {
            let tx = db.begin_read();
            let (mut path, mut key) = (path.clone(), key.to_vec());
            let mut root = at(&tx, &path)?.root_page();
            // A bucket without pages lies beside its name, in the bucket around.
            while root.get() == 0
                && let Some(name) = path.pop()
            {
                (key, root) = (name, at(&tx, &path)?.root_page());
            }
            let file = RawFile::new(Arc::clone(pages), Some(db.page_size()))?;
            let mut next = Some(root);
            let mut way = Vec::new();
            while let Some(id) = next.filter(|id| id.get() > 1 && way.len() < DEPTH_MAX) {
                let page = file.page(id)?;
                let (facts, child) = look(&page, &key, file.page_size() as usize)?;
                way.push(facts);
                next = child;
            }
            Ok(way)
        })
    }

    fn map(&self, cells: usize) -> Result<Map> {
        self.ask(|db, _| {
            if db.begin_read().size() / u64::from(db.page_size()) > MAP_PAGES_MAX {
                return Ok(Map::default());
            }
            let pages = Survey::of_state(&db.begin_read(), db.page_size())?.pages;
            let each = pages.len().div_ceil(cells.max(1)).max(1);
            let letters = pages.chunks(each).map(|cell| {
                let used = most(cell);
                let letter = used.letter();
                if cell.iter().all(|page| *page == used) { letter } else { letter.to_ascii_lowercase() }
            });
            Ok(Map { letters: letters.collect(), each: each as u64 })
        })
    }

    fn bucket(&self, path: &Path) -> Result<Vec<String>> {
        self.ask(|db, _| {
            let tx = db.begin_read();
            let bucket = at(&tx, path)?;
            let root = match bucket.root_page().get() {
                0 => "inside the page of its name".to_owned(),
                page => format!("page {page}"),
            };
            Ok(vec![format!("root: {root}"), format!("counter: {}", bucket.sequence())])
        })
    }

    fn change(&self, change: &Change) -> Result<()> {
        let Access::Held(db, _) = &self.access else {
            return Err(Failure::Refused("another program may hold the file: leave out --live to change it".into()));
        };
        Ok(db.update(|tx| match change {
            Change::Put { path, key, value } => bucket_mut(tx, path)?.put(key, value),
            Change::Delete { path, key } => bucket_mut(tx, path)?.delete(key).map(drop),
            Change::NewBucket { path, name } if path.is_empty() => tx.create_bucket(name).map(drop),
            Change::NewBucket { path, name } => bucket_mut(tx, path)?.create_bucket(name).map(drop),
            Change::DeleteBucket { path, name } if path.is_empty() => tx.delete_bucket(name),
            Change::DeleteBucket { path, name } => bucket_mut(tx, path)?.delete_bucket(name),
        })?)
    }

    fn writable(&self) -> bool {
        self.writable
    }
}

/// How full a page is, and the child that leads to `key`.
fn look(page: &RawPage, key: &[u8], page_size: usize) -> Result<(PageFacts, Option<PageId>)> {
    let (mut used, mut items, mut child) = (PAGE_HEADER, 0, None);
    for item in page.items()? {
        let data = match item? {
            RawItem::Child { key: first, page } => {
                // The last child whose first key is not greater; below the first child lie the keys before it too.
                if child.is_none() || first <= key {
                    child = Some(page);
                }
                first.len()
            }
            RawItem::Value { key, value } | RawItem::Bucket { key, value, .. } => key.len() + value.len(),
            _ => 0,
        };
        used += ELEMENT + data;
        items += 1;
    }
    let kind = if child.is_some() { "branch" } else { "leaf" };
    let bytes = page_size.saturating_mul(usize::try_from(page.overflow()).unwrap_or(usize::MAX).saturating_add(1));
    Ok((PageFacts { page: page.id().get(), kind, items, used, bytes }, child))
}
