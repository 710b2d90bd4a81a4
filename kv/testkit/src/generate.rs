//! Random programs. Commands are drawn beside the model, so that most of them meet keys and buckets that exist.

use crate::bbolt_leak::Written;
use crate::case::{Case, Turn};
use crate::model::{MAX_KEY_LEN, Model};
use crate::program::{
    Action, BucketPath, Command, FREELIST_SYNC, LONG_KEY, Settings, Step, Transaction, Value, long_key,
};
use crate::random::Random;

/// What the commands of a transaction look like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Bytes; values are drawn around it.
    pub page_size: usize,
    /// Most commands of a transaction; one of these.
    pub commands: &'static [usize],
    /// Most puts in a transaction that grows a bucket.
    pub growth: usize,
    /// Beyond these no bucket is created.
    pub buckets: usize,
    /// No bucket is created deeper.
    pub depth: usize,
    /// Beyond these a bucket is swept.
    pub items: usize,
    /// Most bytes of a value.
    pub value_max: usize,
    /// Of 200 new keys this many are long, so that branches have few children.
    pub long_keys: usize,
    /// Most bytes of a long key.
    pub long_key_max: usize,
    /// Reads, and commands that are refused: keys and paths that cannot be, and such as do not exist.
    pub careless: bool,
    /// bbolt runs it too: without what it cannot do, and without what it does wrong.
    pub for_bbolt: bool,
}

impl Shape {
    /// Few small changes to a small file with pages of 1 KiB: power cuts in the middle of them can be exhausted.
    pub const SMALL: Self = Self {
        page_size: 1024,
        commands: &[1, 2, 2, 4, 10],
        growth: 15,
        buckets: 8,
        depth: 4,
        items: 60,
        value_max: 4000,
        long_keys: 40,
        long_key_max: 250,
        careless: false,
        for_bbolt: false,
    };
}

/// The changes of one random transaction, which the model makes too.
#[must_use]
pub fn changes(random: &mut Random, model: &mut Model, shape: &Shape) -> Vec<Command> {
    Generator { random, model, shape, written: Written::default(), commands: Vec::new() }.changes()
}

/// A case of turns that begin with `start`.
#[must_use]
pub fn case(seed: u64, start: Model, for_bbolt: bool) -> Case {
    let mut random = Random::new(seed);
    let page_size = *random.pick(&[1024_u32, 1024, 4096, 4096, 16384]);
    let growth = if random.one_in(8) { 2500 } else { *random.pick(&[20, 80, 400]) };
    let shape = Shape {
        page_size: page_size as usize,
        commands: &[60],
        growth,
        buckets: 200,
        depth: 6,
        items: usize::MAX,
        value_max: 200_000,
        long_keys: 6,
        long_key_max: 1500,
        careless: true,
        for_bbolt,
    };
    let mut model = start.clone();
    let turns = (0..random.within(2, 5)).map(|_| turn(&mut random, &mut model, page_size, &shape)).collect();
    Case { start, turns }
}

fn turn(random: &mut Random, model: &mut Model, page_size: u32, shape: &Shape) -> Turn {
    let settings = Settings::new(page_size, random.one_in(2), *random.pick(&FREELIST_SYNC));
    let mut program = Vec::new();
    for _ in 0..random.within(1, 8) {
        if random.one_in(10) {
            program.push(Step::Reopen);
        }
        let before = model.clone();
        let commands = changes(random, model, shape);
        let commits = !random.one_in(6);
        if !commits {
            *model = before;
        }
        program.push(Step::Transaction(Transaction { commands, commits }));
    }
    Turn { settings, program }
}

/// What a transaction mostly does.
#[derive(Clone, Copy)]
enum Mood {
    Mixed,
    /// Many puts into one bucket: splits, deep trees.
    Grow,
    /// Deletes and sweeps: merges, pages that become free, buckets that go back inline.
    Shrink,
    /// Buckets made and deleted.
    Nest,
}

/// What a transaction that grows a bucket puts into it.
#[derive(Clone, Copy)]
enum Keys {
    Ascending,
    Short,
    /// So long that branches have few children.
    Long,
}

struct Generator<'g> {
    random: &'g mut Random,
    model: &'g mut Model,
    shape: &'g Shape,
    written: Written,
    commands: Vec<Command>,
}

impl Generator<'_> {
    fn changes(mut self) -> Vec<Command> {
        let mood = *self.random.pick(&[Mood::Mixed, Mood::Mixed, Mood::Grow, Mood::Shrink, Mood::Nest]);
        let room = self.model.paths().len() < self.shape.buckets;
        if self.model.entries.is_empty() || room && self.random.one_in(12) {
            let name = self.short_key();
            self.take(Command::new(vec![name], Action::CreateIfAbsent));
        }
        if let Mood::Grow = mood {
            self.grow();
        } else {
            let most = *self.random.pick(self.shape.commands);
            for _ in 0..=self.random.below(most) {
                let command = self.command(mood);
                self.take(command);
            }
        }
        self.commands
    }

    /// Keeps the command and runs it on the model, unless bbolt shall run it too and cannot.
    fn take(&mut self, command: Command) {
        if !self.shape.for_bbolt || !self.written.defeats_bbolt(self.model, &command) {
            self.written.execute(self.model, &command);
            self.commands.push(command);
        }
    }

    fn grow(&mut self) {
        let path = self.path();
        let kind = *self.random.pick(&[Keys::Ascending, Keys::Ascending, Keys::Short, Keys::Short, Keys::Long]);
        let longest = *self.random.pick(&[8, 60, 400]);
        for _ in 0..self.random.within(1, self.shape.growth) {
            let key = match kind {
                Keys::Ascending => self.ascending_key(&path),
                Keys::Short => self.short_key(),
                Keys::Long => long_key(self.random.within(LONG_KEY, self.shape.long_key_max.min(900))),
            };
            let len = self.random.below(longest);
            let value = Value::Plain(self.random.bytes(len));
            self.take(Command::new(path.clone(), Action::Put(key, value)));
        }
    }

    fn command(&mut self, mood: Mood) -> Command {
        let path = self.path();
        let buckets = if let Mood::Nest = mood { 70 } else { 10 };
        if self.random.below(100) < buckets {
            return self.bucket_command(path);
        }
        let action = match (mood, self.random.below(20)) {
            _ if self.count(&path) > self.shape.items => Action::Sweep(self.key(&path), self.shape.items / 2),
            (_, 0) => Action::NextSequence,
            (_, 1) => Action::SetSequence(self.random.next_u64() >> 1),
            (_, 2) if self.shape.careless => Action::Scan,
            (_, 3) if self.shape.careless => Action::Get(self.key(&path)),
            (_, 4) if self.shape.careless => Action::Seek(self.key(&path)),
            (Mood::Shrink, 5..=10) => Action::Sweep(self.key(&path), *self.random.pick(&[1, 5, 50, 1000])),
            (Mood::Shrink, 11..=13) | (Mood::Mixed, 11) if !self.shape.for_bbolt => self.many_deletions(&path),
            (Mood::Shrink, 11..=18) | (_, 5..=9) => Action::Delete(self.key(&path)),
            (Mood::Mixed, 10) => Action::Sweep(self.key(&path), 3),
            _ => Action::Put(self.key(&path), self.value()),
        };
        Command::new(path, action)
    }

    /// A command that deletes in one walk, or without one.
    fn many_deletions(&mut self, path: &[Vec<u8>]) -> Action {
        match self.random.below(9) {
            0..=2 => Action::Thin(self.random.within(1, 3)),
            3..=4 => Action::Retain(self.random.within(1, 4)),
            5 => Action::Clear,
            6 => Action::DeleteRange(self.key(path), Vec::new()),
            7 => Action::DeleteRange(Vec::new(), self.key(path)),
            _ => Action::DeleteRange(self.key(path), self.key(path)),
        }
    }

    /// Creates below a bucket or at the root, deletes the bucket, or moves it.
    fn bucket_command(&mut self, mut path: BucketPath) -> Command {
        let count = self.model.paths().len();
        if self.random.one_in(6) || count >= self.shape.buckets {
            // The deeper, the less is gone with it.
            let other = self.path();
            let path = if other.len() > path.len() { other } else { path };
            return Command::new(path, Action::DeleteBucket);
        }
        if !self.shape.for_bbolt && self.random.one_in(4) {
            let to = if self.random.one_in(3) { Vec::new() } else { self.path() };
            return Command::new(path, Action::Move(to));
        }
        if self.random.one_in(4) {
            path.clear();
        }
        path.truncate(self.shape.depth - 1);
        let mut name = self.key(&path);
        // bbolt takes a name of any length, the library only what can be a key.
        if name.len() > MAX_KEY_LEN {
            name = long_key(MAX_KEY_LEN);
        }
        path.push(name);
        let action = if self.random.one_in(2) { Action::Create } else { Action::CreateIfAbsent };
        Command::new(path, action)
    }

    /// Mostly a bucket that exists.
    fn path(&mut self) -> BucketPath {
        let paths = self.model.paths();
        if paths.is_empty() || self.shape.careless && self.random.one_in(40) {
            return vec![self.short_key()];
        }
        let mut path = self.random.pick(&paths).clone();
        if self.shape.careless && self.random.one_in(60) {
            // What is named last may be a plain key or missing.
            let name = self.key(&path);
            path.push(name);
        }
        path
    }

    fn count(&self, path: &[Vec<u8>]) -> usize {
        self.model.bucket(path).map_or(0, |bucket| bucket.entries.len())
    }

    /// Mostly a key of the bucket, plain or a bucket.
    fn key(&mut self, path: &[Vec<u8>]) -> Vec<u8> {
        let count = self.count(path);
        if count == 0 || self.random.one_in(3) {
            return self.new_key(path);
        }
        let index = self.random.below(count);
        let bucket = self.model.bucket(path).expect("it has entries");
        bucket.entries.keys().nth(index).expect("below the count").clone()
    }

    fn new_key(&mut self, path: &[Vec<u8>]) -> Vec<u8> {
        match self.random.below(200) {
            0 if self.shape.careless => Vec::new(),
            1 if self.shape.careless => long_key(MAX_KEY_LEN + 1),
            2 if self.shape.careless => long_key(MAX_KEY_LEN),
            number if number < 3 + self.shape.long_keys => {
                long_key(self.random.within(LONG_KEY, self.shape.long_key_max))
            }
            number if number < 35 + self.shape.long_keys => self.ascending_key(path),
            _ => self.short_key(),
        }
    }

    /// Eight big-endian bytes, as counters are stored for their order: the one after the bucket's last.
    #[allow(clippy::big_endian_bytes)]
    fn ascending_key(&self, path: &[Vec<u8>]) -> Vec<u8> {
        let mut keys = self.model.bucket(path).into_iter().flat_map(|bucket| bucket.entries.range(..vec![1]).rev());
        let last = keys.find_map(|(key, _)| key.first_chunk().filter(|_| key.len() == 8));
        (last.map_or(0, |last| u64::from_be_bytes(*last)) + 1).to_be_bytes().to_vec()
    }

    /// One to four bytes of few letters, so that keys are prefixes of others and meet again.
    fn short_key(&mut self) -> Vec<u8> {
        let len = self.random.within(1, 4);
        (0..len).map(|_| *self.random.pick(b"\x00ab\x7fyz\xff")).collect()
    }

    fn value(&mut self) -> Value {
        let page = self.shape.page_size;
        let len = match self.random.below(40) {
            0..=3 => 0,
            4..=20 => self.random.within(1, 40),
            21..=28 => self.random.within(40, 300),
            // About the limit of an inline bucket.
            29..=32 => self.random.within(page / 4 - 60, page / 4 + 20),
            // About a page.
            33..=35 => self.random.within(page - 80, page + 20),
            36..=38 => self.random.within(page, 6 * page),
            _ => self.random.within(self.shape.value_max / 2, self.shape.value_max),
        };
        let len = len.min(self.shape.value_max);
        if len <= 40 {
            Value::Plain(self.random.bytes(len))
        } else {
            Value::Expanded { len, seed: self.random.next_u64() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;

    /// Every kind of command, and what comes of it.
    #[test]
    fn programs_meet_what_exists_and_what_does_not() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..40 {
            let case = case(seed, Model::default(), false);
            let mut model = case.start;
            for step in case.turns.into_iter().flat_map(|turn| turn.program) {
                let Step::Transaction(transaction) = step else { continue };
                for command in &transaction.commands {
                    let verb = command.to_string().split(' ').next().unwrap().to_owned();
                    seen.insert((verb, matches!(model.execute(command), Outcome::Refused(_))));
                }
            }
        }
        let verbs = ["create", "create-if-absent", "delete-bucket", "move", "put", "del", "sweep", "thin", "get"];
        for verb in verbs.into_iter().chain(["delete-range", "clear", "retain"]) {
            for refused in [false, true] {
                assert!(seen.contains(&(verb.to_owned(), refused)), "{verb}, refused: {refused}");
            }
        }
    }

    #[test]
    fn small_changes_stay_small() {
        let (mut random, mut model) = (Random::new(1), Model::default());
        for _ in 0..2000 {
            let _ = changes(&mut random, &mut model, &Shape::SMALL);
            let buckets = model.paths();
            assert!(buckets.len() <= Shape::SMALL.buckets);
            let items = buckets.iter().map(|path| model.bucket(path).unwrap().entries.len()).sum::<usize>();
            assert!(items < 500, "{items} items");
        }
    }
}
