//! Numbered transactions on a file, and the ledger: the number of the last one is in the file with its changes.

use std::path::Path;

use kv::{Db, Options, ReadTx, Result};

use crate::bodies::changes::{State, state, transaction};

const LEDGER: &str = "ledger";
const BALLAST: &str = "ballast";

/// What the file holds after a number of transactions.
#[derive(Clone)]
pub(crate) struct Expected {
    seed: u64,
    pub(crate) number: u64,
    ballast: usize,
    state: State,
}

impl Expected {
    /// Nothing yet. Each transaction will add `ballast` bytes, so that the file grows.
    pub(crate) fn nothing(seed: u64, ballast: usize) -> Self {
        Self { seed, number: 0, ballast, state: State::new() }
    }

    /// After `number` transactions.
    pub(crate) fn after(seed: u64, number: u64, ballast: usize) -> Self {
        let mut expected = Self::nothing(seed, ballast);
        expected.advance(number);
        expected
    }

    /// Goes on to `number` transactions.
    pub(crate) fn advance(&mut self, number: u64) {
        for next in self.number + 1..=number {
            for change in transaction(self.seed, next) {
                change.model(&mut self.state);
            }
            let (_, kept) = self.state.entry(vec![BALLAST.into()]).or_default();
            kept.insert(format!("{next:08}").into_bytes(), vec![b'-'; self.ballast]);
            self.number = next;
        }
        if self.number > 0 {
            let last = [(b"last".to_vec(), self.number.to_le_bytes().to_vec())].into();
            self.state.insert(vec![LEDGER.into()], (0, last));
        }
    }

    /// Makes the next transaction in the database, and here if it was committed.
    pub(crate) fn commit_next(&mut self, db: &Db) -> Result<()> {
        let number = self.number + 1;
        db.update(|tx| {
            transaction(self.seed, number).into_iter().try_for_each(|change| change.make(tx))?;
            tx.create_bucket_if_absent(BALLAST)?.put(format!("{number:08}"), vec![b'-'; self.ballast])?;
            tx.create_bucket_if_absent(LEDGER)?.put("last", number.to_le_bytes())
        })?;
        self.advance(number);
        Ok(())
    }

    /// Every bucket, counter, key and value is as expected, and the check finds nothing.
    pub(crate) fn assert_shown(&self, tx: &ReadTx<'_>) {
        assert_eq!(tx.check().unwrap(), [], "after transaction {}", self.number);
        assert!(state(tx).unwrap() == self.state, "another state than after transaction {}", self.number);
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
