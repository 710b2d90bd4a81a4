//! `notes` with buckets of bytes alone: keys, values, the index and the undo by hand.

use std::collections::BTreeSet;
use std::error::Error;

use kv::{Db, ReadTx, Result, WriteTx};

/// How many changes can be taken back.
const UNDO_STEPS: u64 = 100;

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// The key of an entry of the index. No word has a zero byte.
fn entry(word: &str, id: u64) -> Vec<u8> {
    [word.as_bytes(), &[0], &id.to_be_bytes()].concat()
}

/// The number that a key or a value begins with.
fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("a note is text")
}

/// Sets or removes a note, and notes what was there: the number of the note, and 1 and its text if there was one.
fn change(tx: &mut WriteTx<'_>, id: u64, note: Option<&str>) -> Result<()> {
    let before = exchange(tx, id, note)?;
    let mut undo = tx.bucket_mut("undo")?;
    let step = undo.last()?.map_or(0, |(step, _)| number(step) + 1);
    let before = before.map_or(Vec::new(), |before| [b"1", before.as_bytes()].concat());
    undo.put(step.to_be_bytes(), [&id.to_be_bytes()[..], &before].concat())?;
    undo.delete_range(..(step + 1).saturating_sub(UNDO_STEPS).to_be_bytes())?;
    Ok(())
}

/// Sets or removes a note, and returns what was there.
fn exchange(tx: &mut WriteTx<'_>, id: u64, note: Option<&str>) -> Result<Option<String>> {
    let mut notes = tx.bucket_mut("notes")?;
    let before = notes.get(id.to_be_bytes())?.map(text);
    match note {
        Some(note) => notes.put(id.to_be_bytes(), note)?,
        None => drop(notes.delete(id.to_be_bytes())?),
    }
    let mut by_word = tx.bucket_mut("notes by word")?;
    for word in before.iter().flat_map(|before| words(before)) {
        by_word.delete(entry(&word, id))?;
    }
    for word in note.into_iter().flat_map(words) {
        by_word.put(entry(&word, id), "")?;
    }
    Ok(before)
}

fn add(tx: &mut WriteTx<'_>, text: &str) -> Result<u64> {
    let id = tx.bucket("notes")?.last()?.map_or(1, |(id, _)| number(id) + 1);
    change(tx, id, Some(text))?;
    Ok(id)
}

/// Takes the last change back. Returns the note's number, or `None` if there is no change to take back.
fn undo(tx: &mut WriteTx<'_>) -> Result<Option<u64>> {
    let Some((step, before)) = tx.bucket("undo")?.last()? else { return Ok(None) };
    let (step, id, note) = (step.to_vec(), number(before), before[8..].strip_prefix(b"1").map(text));
    exchange(tx, id, note.as_deref())?;
    tx.bucket_mut("undo")?.delete(step)?;
    Ok(Some(id))
}

/// The notes that have, for each of `beginnings`, a word that begins so.
fn find(tx: &ReadTx<'_>, beginnings: &[String]) -> Result<BTreeSet<u64>> {
    let by_word = tx.bucket("notes by word")?;
    let mut found: Option<BTreeSet<u64>> = None;
    for beginning in beginnings.iter().map(|word| word.to_lowercase()) {
        let with_it = by_word
            .prefix(&beginning)
            .map(|entry| entry.map(|(key, _)| number(&key[key.len() - 8..])))
            .collect::<Result<BTreeSet<u64>>>()?;
        found = Some(found.map_or(with_it.clone(), |found| &found & &with_it));
    }
    Ok(found.unwrap_or_default())
}

fn print(tx: &ReadTx<'_>, ids: impl IntoIterator<Item = u64>) -> Result<()> {
    let notes = tx.bucket("notes")?;
    for id in ids {
        if let Some(note) = notes.get(id.to_be_bytes())? {
            println!("{id}: {}", text(note));
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (path, command) = arguments.next().zip(arguments.next()).ok_or("notes FILE add|edit|remove|find|list|undo")?;
    let arguments: Vec<String> = arguments.collect();
    let db = Db::open(path)?;
    db.update(|tx| {
        ["notes", "notes by word", "undo"].iter().try_for_each(|name| tx.create_bucket_if_absent(name).map(drop))
    })?;

    let id = || arguments.first().ok_or("which note?")?.parse::<u64>().map_err(Box::<dyn Error>::from);
    match command.as_str() {
        "add" => println!("note {}", db.update(|tx| add(tx, &arguments.join(" ")))?),
        "edit" => {
            let (id, text) = (id()?, arguments[1..].join(" "));
            db.update(|tx| change(tx, id, Some(&text)))?;
        }
        "remove" => {
            let id = id()?;
            db.update(|tx| change(tx, id, None))?;
        }
        "undo" => match db.update(undo)? {
            Some(id) => println!("note {id} is as it was"),
            None => println!("nothing to take back"),
        },
        "find" => db.view(|tx| print(tx, find(tx, &arguments)?))?,
        "list" => db.view(|tx| {
            let ids =
                tx.bucket("notes")?.iter().map(|row| row.map(|(id, _)| number(id))).collect::<Result<Vec<_>>>()?;
            print(tx, ids)
        })?,
        other => return Err(format!("no command {other}: add, edit, remove, find, list, undo").into()),
    }
    Ok(db.close()?)
}
