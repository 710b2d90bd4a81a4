//! Notes that are found by the beginnings of their words, and changes that are taken back.
//!
//! A note is a row. The table keeps the index of words in the same transaction, and each change leaves in the table
//! `undo` what was there before it.
//!
//! ```sh
//! cargo run -p kv-example-apps --bin notes -- notes.db add "Buy plums and pears"
//! cargo run -p kv-example-apps --bin notes -- notes.db find pl pea
//! cargo run -p kv-example-apps --bin notes -- notes.db remove 1
//! cargo run -p kv-example-apps --bin notes -- notes.db undo
//! ```

use std::collections::BTreeSet;
use std::error::Error;

use kv::table::{Index, Serde, Table};
use kv::{Db, ReadTx, Result, WriteTx};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Note {
    text: String,
}

/// What a change replaced: the number of a note, and the note if there was one.
#[derive(Serialize, Deserialize)]
struct Before {
    id: u64,
    note: Option<Note>,
}

const NOTES: Table<u64, Serde<Note>> = Table::new("notes").indexed(&[&BY_WORD]);
const BY_WORD: Index<u64, Serde<Note>, String> = Index::new("notes by word", |note| words(&note.text));
const UNDO: Table<u64, Serde<Before>> = Table::new("undo");
/// How many changes can be taken back.
const UNDO_STEPS: u64 = 100;

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Sets or removes a note, and notes what was there.
fn change(tx: &mut WriteTx<'_>, id: u64, note: Option<&Note>) -> Result<()> {
    let undo = UNDO.open(tx)?;
    let before = exchange(tx, id, note)?;
    let step = undo.at(tx)?.last()?.map_or(0, |(step, _)| step + 1);
    undo.put(tx, &step, &Before { id, note: before })?;
    undo.remove_range(tx, ..(step + 1).saturating_sub(UNDO_STEPS))?;
    Ok(())
}

/// Sets or removes a note, and returns what was there.
fn exchange(tx: &mut WriteTx<'_>, id: u64, note: Option<&Note>) -> Result<Option<Note>> {
    let notes = NOTES.open(tx)?;
    let before = notes.get(tx, &id)?;
    match note {
        Some(note) => notes.put(tx, &id, note)?,
        None => drop(notes.remove(tx, &id)?),
    }
    Ok(before)
}

fn add(tx: &mut WriteTx<'_>, text: String) -> Result<u64> {
    let id = NOTES.open(tx)?.at(tx)?.last()?.map_or(1, |(id, _)| id + 1);
    change(tx, id, Some(&Note { text }))?;
    Ok(id)
}

/// Takes the last change back. Returns the note's number, or `None` if there is no change to take back.
fn undo(tx: &mut WriteTx<'_>) -> Result<Option<u64>> {
    let undo = UNDO.open(tx)?;
    let Some((step, Before { id, note })) = undo.at(tx)?.last()? else { return Ok(None) };
    exchange(tx, id, note.as_ref())?;
    undo.remove(tx, &step)?;
    Ok(Some(id))
}

/// The notes that have, for each of `beginnings`, a word that begins so.
fn find(tx: &ReadTx<'_>, beginnings: &[String]) -> Result<BTreeSet<u64>> {
    let index = BY_WORD.read(tx)?;
    let mut found: Option<BTreeSet<u64>> = None;
    for beginning in beginnings.iter().map(|word| word.to_lowercase()) {
        let with_it = index
            .range(beginning.as_str()..)
            .take_while(|entry| entry.as_ref().map_or(true, |(word, _)| word.starts_with(&beginning)))
            .map(|entry| entry.map(|(_, id)| id))
            .collect::<Result<BTreeSet<u64>>>()?;
        found = Some(found.map_or(with_it.clone(), |found| &found & &with_it));
    }
    Ok(found.unwrap_or_default())
}

fn print(tx: &ReadTx<'_>, ids: impl IntoIterator<Item = u64>) -> Result<()> {
    let notes = NOTES.read(tx)?;
    for id in ids {
        if let Some(note) = notes.get(&id)? {
            println!("{id}: {}", note.text);
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (path, command) = arguments.next().zip(arguments.next()).ok_or("notes FILE add|edit|remove|find|list|undo")?;
    let arguments: Vec<String> = arguments.collect();
    let db = Db::open(path)?;
    // So that there is something to read in a new file.
    db.update(|tx| NOTES.open(tx).and(UNDO.open(tx)).map(drop))?;

    let id = || arguments.first().ok_or("which note?")?.parse::<u64>().map_err(Box::<dyn Error>::from);
    match command.as_str() {
        "add" => println!("note {}", db.update(|tx| add(tx, arguments.join(" ")))?),
        "edit" => {
            let (id, text) = (id()?, arguments[1..].join(" "));
            db.update(|tx| change(tx, id, Some(&Note { text })))?;
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
            let ids = NOTES.read(tx)?.iter().map(|row| row.map(|(id, _)| id)).collect::<Result<Vec<_>>>()?;
            print(tx, ids)
        })?,
        other => return Err(format!("no command {other}: add, edit, remove, find, list, undo").into()),
    }
    Ok(db.close()?)
}
