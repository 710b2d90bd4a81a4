//! canopydb with default options: a log before the pages, synced by each commit where the work is durable.

use std::path::Path;

use benches::workload::digest;
use canopydb::{Database, Tree};

use crate::{Durability, Engine, Pairs, Result, kept, range};

const TREE: &[u8] = b"pairs";

struct Canopy {
    database: Database,
    sync: bool,
}

pub(super) fn open(dir: &Path, durability: Durability) -> Result<Box<dyn Engine>> {
    let canopy = Canopy { database: Database::new(dir)?, sync: durability == Durability::Durable };
    canopy.write(|_| Ok(()))?;
    Ok(Box::new(canopy))
}

impl Canopy {
    fn write(&self, change: impl FnOnce(&mut Tree<'_>) -> Result<()>) -> Result<()> {
        let tx = self.database.begin_write()?;
        change(&mut tx.get_or_create_tree(TREE)?)?;
        tx.commit_with(self.sync)?;
        Ok(())
    }

    fn read(&self, read: impl FnOnce(&Tree<'_>) -> Result<u64>) -> Result<u64> {
        let tx = self.database.begin_read()?;
        read(&tx.get_tree(TREE)?.ok_or("the tree is not there")?)
    }
}

impl Engine for Canopy {
    fn put(&self, pairs: Pairs<'_>) -> Result<()> {
        self.write(|tree| pairs.each(|key, value| Ok(tree.insert(key, value)?)))
    }

    fn delete(&self, pairs: Pairs<'_>) -> Result<()> {
        self.write(|tree| pairs.keys().try_for_each(|key| Ok(tree.delete(&key).map(|_| ())?)))
    }

    fn delete_range(&self) -> Result<()> {
        self.write(|tree| Ok(tree.delete_range(range())?))
    }

    fn retain(&self) -> Result<()> {
        self.write(|tree| {
            let keys = tree.keys()?.collect::<std::result::Result<Vec<_>, _>>()?;
            keys.iter().filter(|key| !kept(key)).try_for_each(|key| Ok(tree.delete(key).map(|_| ())?))
        })
    }

    fn get(&self, pairs: Pairs<'_>) -> Result<u64> {
        self.read(|tree| pairs.get(|key| Ok(tree.get(key)?)))
    }

    fn scan(&self, pairs: Pairs<'_>, len: usize) -> Result<u64> {
        self.read(|tree| {
            pairs.sum(|key| {
                tree.range(key..)?.take(len).try_fold(0u64, |sum, item| Ok(sum.wrapping_add(digest(&item?.1))))
            })
        })
    }
}
