//! The tree of buckets and keys, as far as it is unfolded. Only the rows of one screen are ever read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::items::{Item, Items, Path, Place};
use crate::failure::Result;

/// A line of the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    /// The bucket that the item is in.
    pub(super) path: Path,
    pub(super) item: Item,
}

impl Row {
    /// The bucket that the item is; for a key, the path that a bucket of its name would have.
    pub(super) fn inside(&self) -> Path {
        let mut path = self.path.clone();
        path.push(self.item.key.clone());
        path
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// None in an empty database.
    pub(super) selected: Option<Row>,
    /// The line of the screen that the selected row is on, if there are so many rows before it.
    above: usize,
    unfolded: BTreeSet<Path>,
    filters: BTreeMap<Path, Vec<u8>>,
}

impl Tree {
    pub(super) fn is_unfolded(&self, path: &Path) -> bool {
        self.unfolded.contains(path)
    }

    /// What the keys of a bucket begin with that are shown.
    pub(super) fn filter(&self, path: &Path) -> &[u8] {
        self.filters.get(path).map_or(&[], Vec::as_slice)
    }

    /// The bucket that one is in: that of the selected row, or the row itself if its inside is shown.
    pub(super) fn here(&self) -> Path {
        match &self.selected {
            Some(row) if row.item.is_bucket() && self.is_unfolded(&row.inside()) => row.inside(),
            Some(row) => row.path.clone(),
            None => Path::new(),
        }
    }

    fn item(&self, items: &dyn Items, path: &Path, place: Place<'_>) -> Result<Option<Row>> {
        let item = items.item(path, place, self.filter(path))?;
        Ok(item.map(|item| Row { path: path.clone(), item }))
    }

    /// The row below.
    fn after(&self, items: &dyn Items, row: &Row) -> Result<Option<Row>> {
        let inside = row.inside();
        if row.item.is_bucket()
            && self.is_unfolded(&inside)
            && let Some(first) = self.item(items, &inside, Place::First)?
        {
            return Ok(Some(first));
        }
        let (mut path, mut key) = (row.path.clone(), row.item.key.clone());
        loop {
            if let Some(next) = self.item(items, &path, Place::After(&key))? {
                return Ok(Some(next));
            }
            match path.pop() {
                Some(name) => key = name,
                None => return Ok(None),
            }
        }
    }

    /// The row above.
    fn before(&self, items: &dyn Items, row: &Row) -> Result<Option<Row>> {
        if let Some(before) = self.item(items, &row.path, Place::Before(&row.item.key))? {
            return self.deepest(items, before).map(Some);
        }
        let mut path = row.path.clone();
        Ok(path.pop().map(|key| Row { path, item: Item { key, len: None } }))
    }

    /// The last row inside a row, or the row.
    fn deepest(&self, items: &dyn Items, mut row: Row) -> Result<Row> {
        while row.item.is_bucket() && self.is_unfolded(&row.inside()) {
            match self.item(items, &row.inside(), Place::Last)? {
                Some(last) => row = last,
                None => break,
            }
        }
        Ok(row)
    }

    pub(super) fn first(&mut self, items: &dyn Items) -> Result<()> {
        self.selected = self.item(items, &Path::new(), Place::First)?;
        self.above = 0;
        Ok(())
    }

    pub(super) fn last(&mut self, items: &dyn Items, height: usize) -> Result<()> {
        if let Some(last) = self.item(items, &Path::new(), Place::Last)? {
            self.selected = Some(self.deepest(items, last)?);
            self.above = height.saturating_sub(1);
        }
        Ok(())
    }

    /// Moves down, or up if `rows` is negative, as far as there are rows.
    pub(super) fn step(&mut self, items: &dyn Items, rows: isize, height: usize) -> Result<()> {
        for _ in 0..rows.unsigned_abs() {
            let Some(row) = &self.selected else { break };
            let next = if rows > 0 { self.after(items, row)? } else { self.before(items, row)? };
            let Some(next) = next else { break };
            self.selected = Some(next);
            let above = if rows > 0 { self.above.saturating_add(1) } else { self.above.saturating_sub(1) };
            self.above = above.min(height.saturating_sub(1));
        }
        Ok(())
    }

    /// The rows of a screen of `height` lines, and which is selected. The screen is full if there are so many rows.
    pub(super) fn rows(&mut self, items: &dyn Items, height: usize) -> Result<(Vec<Row>, usize)> {
        let Some(selected) = &self.selected else { return Ok((Vec::new(), 0)) };
        let mut rows = VecDeque::from([selected.clone()]);
        let mut at = self.fill_above(items, &mut rows, self.above.min(height.saturating_sub(1)) + 1)?;
        while rows.len() < height {
            let Some(after) = rows.back().map(|row| self.after(items, row)).transpose()?.flatten() else { break };
            rows.push_back(after);
        }
        at += self.fill_above(items, &mut rows, height)?;
        assert!(rows.get(at) == Some(selected), "the selected row is on the screen");
        self.above = at;
        Ok((rows.into(), at))
    }

    /// Adds rows above until there are `height`; how many.
    fn fill_above(&self, items: &dyn Items, rows: &mut VecDeque<Row>, height: usize) -> Result<usize> {
        let before = rows.len();
        while rows.len() < height {
            let Some(above) = rows.front().map(|row| self.before(items, row)).transpose()?.flatten() else { break };
            rows.push_front(above);
        }
        Ok(rows.len() - before)
    }

    /// Selects the row in line `line` of the screen; whether there is one.
    pub(super) fn click(&mut self, items: &dyn Items, line: usize, height: usize) -> Result<bool> {
        let (rows, _) = self.rows(items, height)?;
        let Some(row) = rows.get(line) else { return Ok(false) };
        self.selected = Some(row.clone());
        self.above = line;
        Ok(true)
    }

    /// Shows what is in the selected bucket.
    pub(super) fn unfold(&mut self) {
        if let Some(row) = self.selected.as_ref().filter(|row| row.item.is_bucket()) {
            self.unfolded.insert(row.inside());
        }
    }

    /// Hides what is in the selected bucket; from elsewhere, goes to the bucket around.
    pub(super) fn fold(&mut self) {
        let Some(row) = &self.selected else { return };
        if self.unfolded.remove(&row.inside()) {
            return;
        }
        let mut path = row.path.clone();
        if let Some(key) = path.pop() {
            self.selected = Some(Row { path, item: Item { key, len: None } });
            self.above = 0;
        }
    }

    /// Selects an item, and shows the buckets around it. A filter that would hide it ends.
    pub(super) fn select(&mut self, row: Row, height: usize) {
        if !row.item.key.starts_with(self.filter(&row.path)) {
            self.filters.remove(&row.path);
        }
        for depth in 1..=row.path.len() {
            self.unfolded.insert(row.path[..depth].to_vec());
        }
        self.selected = Some(row);
        self.above = height / 2;
    }

    /// Shows only the keys of a bucket that begin with `prefix`, and selects the first; all for an empty prefix. What is
    /// selected stays if no key begins so.
    pub(super) fn set_filter(&mut self, items: &dyn Items, path: &Path, prefix: Vec<u8>) -> Result<bool> {
        let Some(first) = items.item(path, Place::First, &prefix)? else { return Ok(false) };
        if prefix.is_empty() {
            self.filters.remove(path);
        } else {
            self.filters.insert(path.clone(), prefix);
        }
        self.selected = Some(Row { path: path.clone(), item: first });
        self.above = 1;
        Ok(true)
    }

    /// The selected row is gone: selects the one after it, or else before it.
    pub(super) fn gone(&mut self, items: &dyn Items) -> Result<()> {
        let Some(row) = self.selected.take() else { return Ok(()) };
        let inside = row.inside();
        self.unfolded.retain(|path| !path.starts_with(&inside));
        self.filters.retain(|path, _| !path.starts_with(&inside));
        self.selected = self.after(items, &row)?;
        if self.selected.is_none() {
            self.selected = self.before(items, &row)?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use kv_testkit::Random;

    use super::super::items::{Change, Found, Map, PageFacts};
    use super::*;

    /// A database in memory: what is at a path, in path order, is the tree from top to bottom.
    #[derive(Default)]
    pub(in crate::browse) struct Model {
        pub(in crate::browse) all: RefCell<BTreeMap<Path, Option<Vec<u8>>>>,
        pub(in crate::browse) read: RefCell<usize>,
    }

    impl Model {
        pub(in crate::browse) fn with(paths: &[(&[&str], Option<&str>)]) -> Self {
            let model = Self::default();
            for (path, value) in paths {
                let path = path.iter().map(|name| name.as_bytes().to_vec()).collect();
                model.all.borrow_mut().insert(path, value.map(|value| value.as_bytes().to_vec()));
            }
            model
        }
    }

    impl Items for Model {
        fn item(&self, path: &Path, place: Place<'_>, prefix: &[u8]) -> Result<Option<Item>> {
            *self.read.borrow_mut() += 1;
            let all = self.all.borrow();
            let mut inside = all.iter().filter(|(at, _)| {
                at.len() == path.len() + 1
                    && at.starts_with(path)
                    && at.last().is_some_and(|key| key.starts_with(prefix))
            });
            let key = |found: &(&Path, _)| found.0.last().cloned().unwrap_or_default();
            let found = match place {
                Place::First => inside.next(),
                Place::Last => inside.next_back(),
                Place::After(than) => inside.find(|found| key(found)[..] > *than),
                Place::From(than) => inside.find(|found| key(found)[..] >= *than),
                Place::Before(than) => inside.rfind(|found| key(found)[..] < *than),
            };
            Ok(found.map(|found| Item { key: key(&found), len: found.1.as_ref().map(Vec::len) }))
        }

        fn value(&self, path: &Path, key: &[u8], limit: usize) -> Result<Option<Vec<u8>>> {
            let value = self.all.borrow().get(&[&path[..], &[key.to_vec()]].concat()).cloned().flatten();
            Ok(value.map(|value| value[..value.len().min(limit)].to_vec()))
        }

        fn search(&self, path: &Path, key: Option<&[u8]>, text: &[u8], _: usize) -> Result<Found> {
            let place = key.map_or(Place::First, Place::After);
            let Some(item) = self.item(path, place, b"")? else { return Ok(Found::Nowhere) };
            let matches = text.is_empty() || item.key.windows(text.len()).any(|window| window == text);
            Ok(if matches { Found::Item(item) } else { Found::NotYet(item.key) })
        }

        fn pages(&self, _: &Path, _: &[u8]) -> Result<Vec<PageFacts>> {
            Ok(vec![PageFacts { page: 7, kind: "leaf", items: 3, used: 1024, bytes: 4096 }])
        }

        fn map(&self, _: usize) -> Result<Map> {
            Ok(Map { letters: "MMFL".chars().collect(), each: 2 })
        }

        fn bucket(&self, _: &Path) -> Result<Vec<String>> {
            Ok(vec!["counter: 0".into()])
        }

        fn change(&self, change: &Change) -> Result<()> {
            let at = |path: &Path, key: &Vec<u8>| [&path[..], std::slice::from_ref(key)].concat();
            let mut all = self.all.borrow_mut();
            match change {
                Change::Put { path, key, value } => drop(all.insert(at(path, key), Some(value.clone()))),
                Change::NewBucket { path, name } => drop(all.insert(at(path, name), None)),
                Change::Delete { path, key: name } | Change::DeleteBucket { path, name } => {
                    all.retain(|found, _| !found.starts_with(&at(path, name)));
                }
            }
            Ok(())
        }

        fn writable(&self) -> bool {
            true
        }
    }

    /// Any walk over any tree shows what a list of all rows shows.
    #[test]
    fn the_screen_is_a_window_of_the_list_of_all_rows() {
        let mut random = Random::new(7);
        for _ in 0..100 {
            let model = Model::default();
            let mut tree = Tree::default();
            for _ in 0..random.below(30) {
                let mut path = Path::new();
                for _ in 0..random.below(3) {
                    path.push(vec![b'a' + u8::try_from(random.below(4)).unwrap()]);
                    model.all.borrow_mut().insert(path.clone(), None);
                    if random.below(3) > 0 {
                        tree.unfolded.insert(path.clone());
                    }
                }
                path.push(vec![b'k' + u8::try_from(random.below(9)).unwrap()]);
                model.all.borrow_mut().entry(path).or_insert(Some(Vec::new()));
            }
            let all: Vec<Path> = model.all.borrow().keys().cloned().collect();
            let shown = |path: &Path| (1..path.len()).all(|depth| tree.is_unfolded(&path[..depth].to_vec()));
            let list: Vec<Path> = all.into_iter().filter(shown).collect();
            tree.first(&model).unwrap();
            let mut at = 0usize;
            for _ in 0..40 {
                let height = 1 + random.below(8);
                let rows = isize::try_from(random.below(9)).unwrap() - 4;
                tree.step(&model, rows, height).unwrap();
                at = at.saturating_add_signed(rows).min(list.len().saturating_sub(1));
                let (window, selected) = tree.rows(&model, height).unwrap();
                let window: Vec<Path> = window.iter().map(Row::inside).collect();
                assert_eq!(window.get(selected), list.get(at));
                assert_eq!(window.len(), height.min(list.len()));
                assert!(list.is_empty() || list.windows(window.len()).any(|part| part == window));
            }
        }
    }

    #[test]
    fn a_screen_of_a_bucket_of_many_keys_reads_a_screen() {
        let model = Model::default();
        for key in 0..2000 {
            model.all.borrow_mut().insert(vec![b"b".to_vec(), format!("{key:05}").into_bytes()], Some(Vec::new()));
        }
        model.all.borrow_mut().insert(vec![b"b".to_vec()], None);
        let mut tree = Tree::default();
        tree.first(&model).unwrap();
        tree.unfold();
        tree.last(&model, 10).unwrap();
        *model.read.borrow_mut() = 0;
        let (rows, at) = tree.rows(&model, 10).unwrap();
        assert_eq!((rows.len(), at, &rows[9].item.key[..]), (10, 9, &b"01999"[..]));
        assert!(*model.read.borrow() < 30, "{} items read", model.read.borrow());
    }
}
