//! What somebody writes who sees the library for the first time. It compiles, without a word about types.

use std::collections::HashMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

use kv::{Db, Error};

fn store() -> (tempfile::TempDir, Db) {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::open(directory.path().join("first.db")).unwrap();
    (directory, db)
}

#[test]
fn a_first_program() -> Result<(), Box<dyn std::error::Error>> {
    let (_directory, db) = store();

    db.update(|tx| {
        let mut people = tx.create_bucket_if_absent("people")?;
        people.put("ada", "1815")?;
        people.put(String::from("alan"), b"1912")?;
        people.put(vec![b'z'], vec![1, 2, 3])?;
        Ok(())
    })?;

    db.view(|tx| {
        let people = tx.bucket("people")?;
        #[allow(clippy::explicit_iter_loop, reason = "as a newcomer writes it")]
        for pair in people.iter() {
            let (name, born) = pair?;
            println!("{} {}", String::from_utf8_lossy(name), String::from_utf8_lossy(born));
        }
        for pair in people {
            let (_name, _born) = pair?;
        }
        if let Some(born) = people.get("ada")? {
            assert_eq!(born, b"1815");
        }
        Ok(())
    })?;

    let all: HashMap<String, usize> = db.view(|tx| {
        let pairs = tx.bucket("people")?.iter();
        pairs.map(|pair| pair.map(|(name, born)| (String::from_utf8_lossy(name).into(), born.len()))).collect()
    })?;
    assert_eq!(all.len(), 3);
    Ok(())
}

#[test]
fn ranges_need_no_types() -> Result<(), Error> {
    let (_directory, db) = store();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        for key in ["aa", "ab", "abc", "b", "c"] {
            bucket.put(key, key.len().to_string())?;
        }
        Ok(())
    })?;
    let tx = db.begin_read();
    let bucket = tx.bucket("b")?;
    let (s, string, vec, array) = ("ab", "ab".to_string(), b"ab".to_vec(), *b"ab");
    assert_eq!(bucket.range(..).count(), 5);
    assert_eq!(bucket.range(b"ab"..).count(), 4);
    assert_eq!(bucket.range("ab"..).count(), 4);
    assert_eq!(bucket.range("ab".."c").count(), 3);
    assert_eq!(bucket.range("ab"..="c").count(), 4);
    assert_eq!(bucket.range(..b"b").count(), 3);
    assert_eq!(bucket.range(..="b").count(), 4);
    assert_eq!(bucket.range((Excluded(s), Unbounded)).count(), 3);
    assert_eq!(bucket.range((Unbounded, Included(s))).count(), 2);
    assert_eq!(bucket.range((Excluded(&vec), Excluded(&b"c".to_vec()))).count(), 2);
    assert_eq!(bucket.range(&string..).count(), 4);
    assert_eq!(bucket.range(string..).count(), 4);
    assert_eq!(bucket.range(&vec[..]..).count(), 4);
    assert_eq!(bucket.range(&vec..).count(), 4);
    assert_eq!(bucket.range(vec..).count(), 4);
    assert_eq!(bucket.range(array..).count(), 4);
    assert_eq!(bucket.range([b'b']..[b'c']).count(), 1);
    assert_eq!(bucket.range(kv::prefix("ab")).count(), 2);
    #[allow(clippy::reversed_empty_ranges, reason = "an empty range is no error")]
    let backwards = "c".."a";
    assert_eq!(bucket.range(backwards).count(), 0);

    db.update(|tx| {
        let bucket = tx.bucket_mut("b")?.handle();
        tx.scan(bucket, .., |_, _, _| Ok(()))?;
        tx.scan(bucket, "ab".., |_, _, _| Ok(()))?;
        let mut bucket = tx.at_mut(bucket)?;
        assert_eq!(bucket.extract_if(..b"aa", |_, _| true).count(), 0);
        assert_eq!(bucket.delete_range("b"..)?, 2);
        assert_eq!(bucket.delete_range(..)?, 3);
        Ok(())
    })
}

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0} is too poor")]
    TooPoor(String),
    #[error(transparent)]
    Number(#[from] std::num::ParseIntError),
    #[error(transparent)]
    Store(#[from] Error),
}

fn pay(db: &Db, name: &str, amount: u32) -> Result<u32, Refused> {
    db.try_update(|tx| {
        let mut accounts = tx.create_bucket_if_absent("accounts")?;
        let has: u32 = String::from_utf8_lossy(accounts.get(name)?.unwrap_or(b"100")).parse()?;
        let left = has.checked_sub(amount).ok_or_else(|| Refused::TooPoor(name.into()))?;
        accounts.put(name, left.to_string())?;
        Ok(left)
    })
}

#[test]
fn errors_of_a_program_pass_through() {
    let (_directory, db) = store();
    assert_eq!(pay(&db, "ada", 70).unwrap(), 30);
    assert!(matches!(pay(&db, "ada", 70), Err(Refused::TooPoor(name)) if name == "ada"));
    assert_eq!(pay(&db, "ada", 30).unwrap(), 0, "a payment that was refused changed nothing");
    db.update(|tx| tx.bucket_mut("accounts")?.put("alan", "many")).unwrap();
    assert!(matches!(pay(&db, "alan", 1), Err(Refused::Number(_))));
    assert!(matches!(pay(&db, "", 1), Err(Refused::Store(Error::KeyRequired))));
    let read: Result<(), Refused> = db.try_view(|tx| {
        tx.bucket("absent")?;
        Ok(())
    });
    assert!(matches!(read, Err(Refused::Store(Error::BucketNotFound { .. }))));
}

fn with_anyhow(db: &Db) -> anyhow::Result<u32> {
    use anyhow::{Context, bail};

    db.update(|tx| tx.create_bucket_if_absent("b")?.put("n", "41"))?;
    let n: u32 = db.try_view(|tx| -> anyhow::Result<_> {
        let value = tx.bucket("b")?.get("n")?.context("there is no n")?;
        Ok(std::str::from_utf8(value)?.parse()?)
    })?;
    db.try_update(|tx| {
        if n == 42 {
            bail!("it is there already");
        }
        tx.bucket_mut("b").context("the bucket is gone")?.put("n", (n + 1).to_string())?;
        anyhow::Ok(())
    })?;
    db.try_batch(move |tx| anyhow::Ok(tx.bucket_mut("b")?.put("m", n.to_string())?))?;
    Ok(n)
}

#[test]
fn anyhow_passes_through() {
    let (_directory, db) = store();
    assert_eq!(with_anyhow(&db).unwrap(), 41);
    let refused = db.try_view(|tx| -> anyhow::Result<()> {
        tx.bucket("absent")?;
        Ok(())
    });
    assert!(matches!(refused.unwrap_err().downcast_ref(), Some(Error::BucketNotFound { .. })));
}

#[test]
fn boxed_errors_pass_through() {
    let (_directory, db) = store();
    let refused: Result<(), Box<dyn std::error::Error + Send + Sync>> = db.try_update(|tx| {
        tx.create_bucket("b")?;
        Err("as told")?
    });
    assert_eq!(refused.unwrap_err().to_string(), "as told");
    assert!(db.begin_read().get_bucket("b").unwrap().is_none());
}
