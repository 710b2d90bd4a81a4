//! The kinds of database that programs run on, and the files they start from.

use std::sync::Arc;

use kv::{FreelistKind, FreelistSync, Options};
use pagefile_std::MemStore;

use crate::model::{Model, State};
use crate::program::{Changes, Op, path};

/// Small, so that few keys make deep trees and files are soon written whole.
pub(crate) const PAGE_SIZE: u32 = 1024;

/// Which freelist, written when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) freelist: FreelistKind,
    pub(crate) sync: FreelistSync,
}

pub(crate) const CONFIGS: [Config; 4] = [
    Config { freelist: FreelistKind::SpanMaps, sync: FreelistSync::Every },
    Config { freelist: FreelistKind::SpanMaps, sync: FreelistSync::OnClose },
    Config { freelist: FreelistKind::SortedArray, sync: FreelistSync::Every },
    Config { freelist: FreelistKind::SortedArray, sync: FreelistSync::OnClose },
];

impl Config {
    pub(crate) fn options(self) -> Options {
        Options::new().page_size(PAGE_SIZE).freelist(self.freelist).freelist_sync(self.sync)
    }
}

/// A file, and the states of which it must be one.
pub(crate) struct Base {
    pub(crate) bytes: Vec<u8>,
    pub(crate) allowed: Vec<Arc<State>>,
}

impl Base {
    /// The file after these transactions; closed, or left as a crash leaves it.
    pub(crate) fn of(config: Config, transactions: &[Changes], closed: bool) -> Base {
        let store = Arc::new(MemStore::new());
        let db = config.options().open_store(Box::new(Arc::clone(&store))).expect("an empty store opens");
        let mut model = Model::default();
        for changes in transactions {
            let mut tx = db.begin_write().expect("nothing has failed");
            for op in changes.iter().filter(|op| op.apply_to(&mut model)) {
                op.apply(&mut tx).expect("the model did it");
            }
            tx.commit().expect("memory does not fail");
        }
        let left = store.snapshot();
        db.close().expect("memory does not fail");
        let bytes = if closed { store.snapshot() } else { left };
        Base { bytes, allowed: vec![model.into_state()] }
    }
}

/// A bucket at the top with `keys` keys of `len` bytes in it, which is `a`.
pub(crate) fn filled(keys: usize, len: usize) -> Changes {
    vec![
        Op::CreateBucket { at: path(""), name: b"a".to_vec() },
        Op::Put { at: path("a"), first: 0, count: keys, len, fill: b'o' },
    ]
}
