//! Random programs. Commands are drawn beside the model, so that most of them
//! meet keys and buckets that exist.

use std::fs;
use std::path::Path;

use crate::fixtures;
use crate::model::{MAX_KEY_LEN, Model};
use crate::program::{Action, BucketPath, Command, LONG_KEY, Settings, Step, Transaction, Value, long_key};
use crate::rng::Rng;

/// One engine's share of a case.
#[derive(Clone)]
pub(crate) struct Turn {
    pub(crate) settings: Settings,
    pub(crate) program: Vec<Step>,
}

/// Programs to run one after the other on one file.
#[derive(Clone)]
pub(crate) struct Case {
    /// The file to begin with; none is a new one.
    pub(crate) fixture: Option<&'static str>,
    pub(crate) turns: Vec<Turn>,
}

/// What a transaction mostly does.
#[derive(Clone, Copy)]
enum Mood {
    Mixed,
    /// Many puts into one bucket: splits, deep trees.
    Grow,
    /// Deletes and sweeps: merges, pages that become free, buckets that go back
    /// inline.
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

/// Buckets beyond which none is created.
const MAX_BUCKETS: usize = 200;
const MAX_DEPTH: usize = 6;

struct Generator {
    rng: Rng,
    model: Model,
    for_bbolt: bool,
    page_size: usize,
    /// Most puts in a transaction that grows a bucket.
    growth: usize,
    /// The next of the ascending keys.
    counter: u64,
}

impl Case {
    /// The content to begin with.
    pub(crate) fn model(&self) -> Model {
        self.fixture.map(fixtures::model).unwrap_or_default()
    }

    /// Puts the file to begin with at a path.
    pub(crate) fn lay_out(&self, path: &Path) {
        if let Some(name) = self.fixture {
            fs::copy(fixtures::database(name), path).expect("the fixture is there");
        }
    }
}

/// The case of a seed. One that is not for bbolt has besides the commands at which
/// bbolt goes wrong.
pub(crate) fn case(seed: u64, fixture: Option<&'static str>, for_bbolt: bool) -> Case {
    let mut rng = Rng::new(seed);
    let page_size = *rng.pick(&[1024_u32, 1024, 4096, 4096, 16384]);
    let growth = if rng.one_in(8) { 2500 } else { *rng.pick(&[20, 80, 400]) };
    let mut case = Case { fixture, turns: Vec::new() };
    let mut generator =
        Generator { rng, model: case.model(), for_bbolt, page_size: page_size as usize, growth, counter: 0 };
    for _ in 0..generator.rng.within(2, 5) {
        case.turns.push(generator.turn(page_size));
    }
    case
}

impl Generator {
    fn turn(&mut self, page_size: u32) -> Turn {
        let settings = Settings { page_size, span_maps: self.rng.one_in(2), freelist_each_commit: self.rng.one_in(2) };
        let steps = self.rng.within(1, 8);
        let mut program = Vec::new();
        for _ in 0..steps {
            if self.rng.one_in(10) {
                program.push(Step::Reopen);
            }
            program.push(Step::Transaction(self.transaction()));
        }
        Turn { settings, program }
    }

    fn transaction(&mut self) -> Transaction {
        let before = self.model.begin();
        let mood = *self.rng.pick(&[Mood::Mixed, Mood::Mixed, Mood::Grow, Mood::Shrink, Mood::Nest]);
        let mut commands = Vec::new();
        if self.model.root.items.is_empty() || self.rng.one_in(12) {
            let name = self.short_key();
            self.take(Command { path: vec![name], action: Action::CreateIfAbsent }, &mut commands);
        }
        match mood {
            Mood::Grow => self.grow(&mut commands),
            _ => {
                for _ in 0..self.rng.below(60) {
                    let command = self.command(mood);
                    self.take(command, &mut commands);
                }
            }
        }
        let commits = !self.rng.one_in(6);
        if !commits {
            self.model = before;
        }
        Transaction { commands, commits }
    }

    /// Keeps the command and runs it on the model, unless bbolt shall run it too
    /// and cannot.
    fn take(&mut self, command: Command, commands: &mut Vec<Command>) {
        if self.for_bbolt && self.model.defeats_bbolt(&command) {
            return;
        }
        // A refusal is as good an outcome as another.
        let _ = self.model.execute(&command);
        commands.push(command);
    }

    fn grow(&mut self, commands: &mut Vec<Command>) {
        let path = self.path();
        let kind = *self.rng.pick(&[Keys::Ascending, Keys::Ascending, Keys::Short, Keys::Short, Keys::Long]);
        let longest = *self.rng.pick(&[8, 60, 400]);
        for _ in 0..self.rng.within(1, self.growth) {
            let key = match kind {
                Keys::Ascending => self.ascending_key(),
                Keys::Short => self.short_key(),
                Keys::Long => long_key(self.rng.within(LONG_KEY, 900)),
            };
            let len = self.rng.below(longest);
            let value = Value::Plain(self.rng.bytes(len));
            self.take(Command { path: path.clone(), action: Action::Put(key, value) }, commands);
        }
    }

    fn command(&mut self, mood: Mood) -> Command {
        let path = self.path();
        let buckets = if let Mood::Nest = mood { 70 } else { 10 };
        if self.rng.below(100) < buckets {
            return self.bucket_command(path);
        }
        let action = match (mood, self.rng.below(20)) {
            (_, 0) => Action::NextSequence,
            (_, 1) => Action::SetSequence(self.rng.next() >> 1),
            (_, 2) => Action::Scan,
            (_, 3) => Action::Get(self.key(&path)),
            (_, 4) => Action::Seek(self.key(&path)),
            (Mood::Shrink, 5..=10) => Action::Sweep(self.key(&path), *self.rng.pick(&[1, 5, 50, 1000])),
            (Mood::Shrink, 11..=18) | (_, 5..=9) => Action::Delete(self.key(&path)),
            (Mood::Mixed, 10) => Action::Sweep(self.key(&path), 3),
            _ => Action::Put(self.key(&path), self.value()),
        };
        Command { path, action }
    }

    /// Creates below a bucket or at the root, or deletes the bucket.
    fn bucket_command(&mut self, mut path: BucketPath) -> Command {
        let count = self.model.paths().len();
        if self.rng.one_in(6) || count >= MAX_BUCKETS {
            // The deeper, the less is gone with it.
            let other = self.path();
            let path = if other.len() > path.len() { other } else { path };
            return Command { path, action: Action::DeleteBucket };
        }
        if self.rng.one_in(4) {
            path.clear();
        }
        path.truncate(MAX_DEPTH - 1);
        let mut name = self.key(&path);
        // bbolt takes a name of any length, kv only what can be a key.
        if name.len() > MAX_KEY_LEN {
            name = long_key(MAX_KEY_LEN);
        }
        path.push(name);
        let action = if self.rng.one_in(2) { Action::Create } else { Action::CreateIfAbsent };
        Command { path, action }
    }

    /// Mostly a bucket that exists.
    fn path(&mut self) -> BucketPath {
        let paths = self.model.paths();
        if paths.is_empty() || self.rng.one_in(40) {
            return vec![self.short_key()];
        }
        let mut path = self.rng.pick(&paths).clone();
        if self.rng.one_in(60) {
            // What is named last may be a plain key or missing.
            let name = self.key(&path);
            path.push(name);
        }
        path
    }

    /// Mostly a key of the bucket, plain or a bucket.
    fn key(&mut self, path: &[Vec<u8>]) -> Vec<u8> {
        let count = self.model.bucket(path).map_or(0, |node| node.items.len());
        if count == 0 || self.rng.one_in(3) {
            return self.new_key();
        }
        let index = self.rng.below(count);
        let node = self.model.bucket(path).expect("it has items");
        node.items.keys().nth(index).expect("below the count").clone()
    }

    fn new_key(&mut self) -> Vec<u8> {
        match self.rng.below(200) {
            0 => Vec::new(),
            1 => long_key(MAX_KEY_LEN + 1),
            2 => long_key(MAX_KEY_LEN),
            3..=8 => long_key(self.rng.within(LONG_KEY, 1500)),
            9..=40 => self.ascending_key(),
            _ => self.short_key(),
        }
    }

    /// Eight big-endian bytes, as counters are stored for their order.
    #[allow(clippy::big_endian_bytes)]
    fn ascending_key(&mut self) -> Vec<u8> {
        self.counter += 1;
        self.counter.to_be_bytes().to_vec()
    }

    /// One to four bytes of few letters, so that keys are prefixes of others and
    /// meet again.
    fn short_key(&mut self) -> Vec<u8> {
        let len = self.rng.within(1, 4);
        (0..len).map(|_| *self.rng.pick(b"\x00ab\x7fyz\xff")).collect()
    }

    fn value(&mut self) -> Value {
        let page = self.page_size;
        let len = match self.rng.below(40) {
            0..=3 => 0,
            4..=20 => self.rng.within(1, 40),
            21..=28 => self.rng.within(40, 300),
            // About the limit of an inline bucket.
            29..=32 => self.rng.within(page / 4 - 60, page / 4 + 20),
            // About a page.
            33..=35 => self.rng.within(page - 80, page + 20),
            36..=38 => self.rng.within(page, 6 * page),
            _ => self.rng.within(100_000, 200_000),
        };
        if len <= 40 { Value::Plain(self.rng.bytes(len)) } else { Value::Expanded { len, seed: self.rng.next() } }
    }
}
