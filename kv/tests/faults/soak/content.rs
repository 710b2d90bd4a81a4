//! The buckets in the file: how a writer makes its changes in a transaction, and how a reader looks at all of them.
//!
//! ```text
//! ledger             its sequence counts the transactions of all writers
//! writer-0           its sequence is the number of that writer's last transaction
//!   00000007: value
//!   nested           the next place, and so on
//! ```

use kv::{Bucket, BucketMut, ReadTx, Result, WriteTx};

use super::oracle::{Change, Key, PLACES, Tally, generation, value};

const LEDGER: &str = "ledger";
const NESTED: &str = "nested";

fn bucket_name(writer: u8) -> String {
    format!("writer-{writer}")
}

/// Makes the changes of the writer's transaction `number`.
pub(super) fn make(tx: &mut WriteTx<'_>, seed: u64, writer: u8, number: u64, changes: &[Change]) -> Result<()> {
    let name = bucket_name(writer);
    for change in changes {
        match *change {
            Change::Restart if tx.get_bucket(&name)?.is_some() => tx.delete_bucket(&name)?,
            Change::Restart => {}
            Change::Put(key, generation) => {
                place(tx, &name, key.place)?.put(key_bytes(key), value(seed, writer, key, generation))?;
            }
            Change::Delete(key) => {
                let there = place(tx, &name, key.place)?.delete(key_bytes(key))?;
                assert!(there, "transaction {number} of writer {writer} sees no {key:?}");
            }
            Change::Drop(inner) => place(tx, &name, inner - 1)?.delete_bucket(NESTED)?,
        }
    }
    let mut bucket = tx.create_bucket_if_absent(&name)?;
    let before = bucket.sequence();
    assert!([0, number - 1].contains(&before), "transaction {number} of writer {writer} comes after {before}");
    bucket.set_sequence(number)?;
    tx.create_bucket_if_absent(LEDGER)?.next_sequence().map(drop)
}

/// The bucket of a place, made with those around it where it is not there.
fn place<'tx>(tx: &'tx mut WriteTx<'_>, name: &str, place: u8) -> Result<BucketMut<'tx>> {
    let mut bucket = tx.create_bucket_if_absent(name)?;
    for _ in 0..place {
        bucket.create_bucket_if_absent(NESTED)?;
        bucket = bucket.into_bucket_mut(NESTED)?;
    }
    Ok(bucket)
}

fn key_bytes(key: Key) -> String {
    format!("{:08}", key.number)
}

/// The number of the writer's last transaction, and every key with its generation to `each`.
///
/// # Panics
/// If a value is not the one that its key and generation have.
pub(super) fn read(tx: &ReadTx<'_>, seed: u64, writer: u8, mut each: impl FnMut(Key, u64)) -> u64 {
    let Some(outer) = tx.get_bucket(bucket_name(writer)).unwrap() else { return 0 };
    let mut at = Some(outer);
    for place in 0..PLACES {
        let Some(bucket) = at else { break };
        let items = |key, found: &[u8]| {
            let generation = generation(found).unwrap_or_else(|| panic!("writer {writer}, {key:?}: {found:?}"));
            let expected = value(seed, writer, key, generation);
            let differs = || found.iter().zip(&expected).position(|(found, expected)| found != expected);
            assert!(
                found == expected,
                "writer {writer}, {key:?} says generation {generation}: {} bytes of {}, other bytes from {:?} on",
                found.len(),
                expected.len(),
                differs()
            );
            each(key, generation);
        };
        at = read_place(bucket, place, items);
    }
    assert!(at.is_none(), "writer {writer} nests its buckets {PLACES} deep");
    outer.sequence()
}

/// Every key and value of one bucket; returns the bucket inside it.
fn read_place(bucket: Bucket<'_>, place: u8, mut each: impl FnMut(Key, &[u8])) -> Option<Bucket<'_>> {
    let mut inner = None;
    for item in bucket.items(..) {
        let (name, value) = item.unwrap();
        let text = std::str::from_utf8(name).unwrap_or_else(|_| panic!("nobody writes the key {name:?}"));
        match value {
            Some(value) => each(Key { place, number: text.parse().unwrap() }, value),
            None if text == NESTED => inner = bucket.get_bucket(NESTED).unwrap(),
            None => panic!("nobody makes the bucket {text}"),
        }
    }
    inner
}

/// The number and the tally of each writer, of one whole snapshot.
pub(super) fn read_all(tx: &ReadTx<'_>, seed: u64, writers: u8) -> Vec<(u64, Tally)> {
    let one = |writer| {
        let mut tally = Tally::default();
        (read(tx, seed, writer, |key, generation| tally.add(key, generation)), tally)
    };
    let found: Vec<_> = (0..writers).map(one).collect();
    assert_eq!(ledger(tx), found.iter().map(|(number, _)| number).sum(), "a transaction is in a snapshot as a whole");
    found
}

/// How many transactions of all writers are in the snapshot.
pub(super) fn ledger(tx: &ReadTx<'_>) -> u64 {
    tx.get_bucket(LEDGER).unwrap().map_or(0, |ledger| ledger.sequence())
}
