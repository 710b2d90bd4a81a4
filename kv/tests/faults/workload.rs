//! Numbered transactions on a file, and the ledger: the number of the last one is in the file with its changes.

use std::path::Path;

use kv::{Db, Options, ReadTx, Result};
use kv_testkit::Random;
use kv_testkit::engine::execute_beside;
use kv_testkit::generate::{Shape, changes};
use kv_testkit::model::{Model, difference};
use kv_testkit::program::{Action, Command, Value, path};

const LEDGER: &str = "ledger";
const BALLAST: &str = "ballast";

/// What the file holds after a number of transactions.
#[derive(Clone)]
pub(crate) struct Expected {
    seed: u64,
    pub(crate) number: u64,
    ballast: usize,
    /// What random changes have made; ledger and ballast lie beside it.
    changed: Model,
}

impl Expected {
    /// Nothing yet. Each transaction will add `ballast` bytes, so that the file grows.
    pub(crate) fn nothing(seed: u64, ballast: usize) -> Self {
        Self { seed, number: 0, ballast, changed: Model::default() }
    }

    /// After `number` transactions.
    pub(crate) fn after(seed: u64, number: u64, ballast: usize) -> Self {
        let mut expected = Self::nothing(seed, ballast);
        expected.advance(number);
        expected
    }

    /// Goes on to `number` transactions.
    pub(crate) fn advance(&mut self, number: u64) {
        while self.number < number {
            let _ = self.next_changes();
        }
    }

    /// The random changes of the next transaction, made here.
    fn next_changes(&mut self) -> Vec<Command> {
        self.number += 1;
        changes(&mut Random::of(self.seed, self.number), &mut self.changed, &Shape::SMALL)
    }

    /// What transaction `number` adds to the ballast.
    fn ballast(&self, number: u64) -> Vec<Command> {
        let value = Value::Plain(vec![b'-'; self.ballast]);
        [Action::CreateIfAbsent, Action::Put(format!("{number:08}").into_bytes(), value)]
            .map(|action| Command::new(path(BALLAST), action))
            .into()
    }

    /// The ledger after the last transaction.
    fn ledger(&self) -> Vec<Command> {
        let value = Value::Plain(self.number.to_le_bytes().to_vec());
        [Action::CreateIfAbsent, Action::Put(b"last".to_vec(), value)]
            .map(|action| Command::new(path(LEDGER), action))
            .into()
    }

    /// Makes the next transaction in the database, and here if it was committed.
    pub(crate) fn commit_next(&mut self, db: &Db) -> Result<()> {
        let mut next = self.clone();
        let changes = next.next_changes();
        db.update(|tx| {
            execute_beside(tx, &mut self.changed.clone(), &changes)?;
            execute_beside(tx, &mut self.model(), &[self.ballast(next.number), next.ledger()].concat())
        })?;
        *self = next;
        Ok(())
    }

    /// All that the file holds.
    fn model(&self) -> Model {
        let mut model = self.changed.clone();
        let ballast = (1..=self.number).flat_map(|number| self.ballast(number));
        for command in ballast.chain(self.ledger()).filter(|_| self.number > 0) {
            model.execute(&command);
        }
        model
    }

    /// Every bucket, counter, key and value is as expected, and the check finds nothing.
    pub(crate) fn assert_shown(&self, tx: &ReadTx<'_>) {
        assert_eq!(tx.check().unwrap(), [], "after transaction {}", self.number);
        assert_eq!(difference(&tx.root(), &self.model()).unwrap(), None, "after transaction {}", self.number);
    }
}

/// The number of the last transaction.
pub(crate) fn last(tx: &ReadTx<'_>) -> u64 {
    let Some(ledger) = tx.get_bucket(LEDGER).unwrap() else { return 0 };
    u64::from_le_bytes(ledger.get("last").unwrap().unwrap().try_into().unwrap())
}

/// Opens the file to read and then to write, and closes it; `found` of them is acceptable, and everything is as after
/// that many transactions. Returns how many there were.
pub(crate) fn assert_whole(path: &Path, options: &Options, expected: &mut Expected, acceptable: &[u64]) -> u64 {
    let db = Options::new().read_only(true).open(path).unwrap();
    let found = last(&db.begin_read());
    assert!(acceptable.contains(&found), "{found} transactions are there, and should be {acceptable:?}");
    expected.advance(found);
    expected.assert_shown(&db.begin_read());
    db.close().unwrap();
    let db = options.open(path).unwrap();
    expected.assert_shown(&db.begin_read());
    db.close().unwrap();
    found
}
