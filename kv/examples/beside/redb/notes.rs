//! `notes` with redb: the index and the undo are tables that each change has to keep.

use std::collections::BTreeSet;
use std::error::Error;

use redb::{Database, MultimapTableDefinition, ReadTransaction, ReadableDatabase as _, ReadableTable as _};
use redb::{TableDefinition, WriteTransaction};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const NOTES: TableDefinition<u64, &str> = TableDefinition::new("notes");
const BY_WORD: MultimapTableDefinition<&str, u64> = MultimapTableDefinition::new("notes by word");
/// What a change replaced: the number of a note, and the note if there was one.
const UNDO: TableDefinition<u64, (u64, Option<&str>)> = TableDefinition::new("undo");
/// How many changes can be taken back.
const UNDO_STEPS: u64 = 100;

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Sets or removes a note, and notes what was there.
fn change(tx: &WriteTransaction, id: u64, note: Option<&str>) -> Result<()> {
    let before = exchange(tx, id, note)?;
    let mut undo = tx.open_table(UNDO)?;
    let step = undo.last()?.map_or(0, |(step, _)| step.value() + 1);
    undo.insert(step, (id, before.as_deref()))?;
    undo.retain_in(..(step + 1).saturating_sub(UNDO_STEPS), |_, _| false)?;
    Ok(())
}

/// Sets or removes a note, and returns what was there.
fn exchange(tx: &WriteTransaction, id: u64, note: Option<&str>) -> Result<Option<String>> {
    let (mut notes, mut by_word) = (tx.open_table(NOTES)?, tx.open_multimap_table(BY_WORD)?);
    let before = match note {
        Some(note) => notes.insert(id, note)?,
        None => notes.remove(id)?,
    };
    let before = before.map(|before| before.value().to_owned());
    for word in before.iter().flat_map(|before| words(before)) {
        by_word.remove(word.as_str(), id)?;
    }
    for word in note.into_iter().flat_map(words) {
        by_word.insert(word.as_str(), id)?;
    }
    Ok(before)
}

fn add(tx: &WriteTransaction, text: &str) -> Result<u64> {
    let id = tx.open_table(NOTES)?.last()?.map_or(1, |(id, _)| id.value() + 1);
    change(tx, id, Some(text))?;
    Ok(id)
}

/// Takes the last change back. Returns the note's number, or `None` if there is no change to take back.
fn undo(tx: &WriteTransaction) -> Result<Option<u64>> {
    let last = tx.open_table(UNDO)?.pop_last()?.map(|(_, before)| {
        let (id, note) = before.value();
        (id, note.map(str::to_owned))
    });
    let Some((id, note)) = last else { return Ok(None) };
    exchange(tx, id, note.as_deref())?;
    Ok(Some(id))
}

/// The notes that have, for each of `beginnings`, a word that begins so.
fn find(tx: &ReadTransaction, beginnings: &[String]) -> Result<BTreeSet<u64>> {
    let by_word = tx.open_multimap_table(BY_WORD)?;
    let mut found: Option<BTreeSet<u64>> = None;
    for beginning in beginnings.iter().map(|word| word.to_lowercase()) {
        let mut with_it = BTreeSet::new();
        for entry in redb::ReadableMultimapTable::range(&by_word, beginning.as_str()..)? {
            let (word, ids) = entry?;
            if !word.value().starts_with(&beginning) {
                break;
            }
            for id in ids {
                with_it.insert(id?.value());
            }
        }
        found = Some(found.map_or(with_it.clone(), |found| &found & &with_it));
    }
    Ok(found.unwrap_or_default())
}

fn print(tx: &ReadTransaction, ids: impl IntoIterator<Item = u64>) -> Result<()> {
    let notes = tx.open_table(NOTES)?;
    for id in ids {
        if let Some(note) = notes.get(id)? {
            println!("{id}: {}", note.value());
        }
    }
    Ok(())
}

/// One transaction.
fn update<T>(db: &Database, work: impl FnOnce(&WriteTransaction) -> Result<T>) -> Result<T> {
    let tx = db.begin_write()?;
    let done = work(&tx)?;
    tx.commit()?;
    Ok(done)
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (path, command) = arguments.next().zip(arguments.next()).ok_or("notes FILE add|edit|remove|find|list|undo")?;
    let arguments: Vec<String> = arguments.collect();
    let db = Database::create(path)?;
    // So that there is something to read in a new file.
    update(&db, |tx| {
        tx.open_table(NOTES)?;
        tx.open_multimap_table(BY_WORD)?;
        tx.open_table(UNDO)?;
        Ok(())
    })?;

    let id = || arguments.first().ok_or("which note?")?.parse::<u64>().map_err(Box::<dyn Error>::from);
    match command.as_str() {
        "add" => println!("note {}", update(&db, |tx| add(tx, &arguments.join(" ")))?),
        "edit" => update(&db, |tx| change(tx, id()?, Some(&arguments[1..].join(" "))))?,
        "remove" => update(&db, |tx| change(tx, id()?, None))?,
        "undo" => match update(&db, undo)? {
            Some(id) => println!("note {id} is as it was"),
            None => println!("nothing to take back"),
        },
        "find" => {
            let tx = db.begin_read()?;
            print(&tx, find(&tx, &arguments)?)?;
        }
        "list" => {
            let tx = db.begin_read()?;
            let notes = tx.open_table(NOTES)?;
            print(&tx, notes.iter()?.map(|row| Ok(row?.0.value())).collect::<Result<Vec<_>>>()?)?;
        }
        other => return Err(format!("no command {other}: add, edit, remove, find, list, undo").into()),
    }
    Ok(())
}
