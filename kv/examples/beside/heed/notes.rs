//! `notes` with heed: the index and the undo are databases that each change has to keep.
#![allow(unsafe_code, reason = "opening a file of LMDB's is unsafe")]

use std::collections::BTreeSet;
use std::error::Error;

use heed::types::{SerdeBincode, Str, U64};
use heed::{CommitOrAbort, Database, DatabaseFlags, Env, EnvFlags, EnvOpenOptions, RoTxn, RwTxn, byteorder::BigEndian};
use serde::{Deserialize, Serialize};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;
type Number = U64<BigEndian>;

/// What a change replaced: the number of a note, and the note if there was one.
#[derive(Serialize, Deserialize)]
struct Before {
    id: u64,
    note: Option<String>,
}

/// The databases of the file.
struct Store {
    notes: Database<'static, Number, Str>,
    /// Several numbers for a word.
    by_word: Database<'static, Str, Number>,
    undo: Database<'static, Number, SerdeBincode<Before>>,
}

/// How many changes can be taken back.
const UNDO_STEPS: u64 = 100;

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

impl Store {
    fn open(env: &Env) -> Result<Self> {
        let opened = env.create_databases_and_commit(env.write_txn()?, |opener, tx| -> Result<_> {
            let (notes, undo) = (opener.create_database(tx, Some("notes"))?, opener.create_database(tx, Some("undo"))?);
            let mut by_word = opener.database_options().types();
            by_word.name("notes by word").flags(DatabaseFlags::DUP_SORT);
            Ok(CommitOrAbort::<_, ()>::Commit((notes, by_word.create(tx)?, undo)))
        })?;
        let (notes, by_word, undo) = opened.unwrap_commit();
        Ok(Self { notes, by_word, undo })
    }

    /// Sets or removes a note, and notes what was there.
    fn change(&self, tx: &mut RwTxn<'_>, id: u64, note: Option<&str>) -> Result<()> {
        let note = self.exchange(tx, id, note)?;
        let step = self.undo.last(tx)?.map_or(0, |(step, _)| step + 1);
        self.undo.put(tx, &step, &Before { id, note })?;
        self.undo.delete_range(tx, &(..(step + 1).saturating_sub(UNDO_STEPS)))?;
        Ok(())
    }

    /// Sets or removes a note, and returns what was there.
    fn exchange(&self, tx: &mut RwTxn<'_>, id: u64, note: Option<&str>) -> Result<Option<String>> {
        let before = self.notes.get(tx, &id)?.map(str::to_owned);
        for word in before.iter().flat_map(|before| words(before)) {
            self.by_word.delete_one_duplicate(tx, &word, &id)?;
        }
        for word in note.into_iter().flat_map(words) {
            self.by_word.put(tx, &word, &id)?;
        }
        match note {
            Some(note) => self.notes.put(tx, &id, note)?,
            None => drop(self.notes.delete(tx, &id)?),
        }
        Ok(before)
    }

    fn add(&self, tx: &mut RwTxn<'_>, text: &str) -> Result<u64> {
        let id = self.notes.last(tx)?.map_or(1, |(id, _)| id + 1);
        self.change(tx, id, Some(text))?;
        Ok(id)
    }

    /// Takes the last change back. Returns the note's number, or `None` if there is no change to take back.
    fn undo(&self, tx: &mut RwTxn<'_>) -> Result<Option<u64>> {
        let Some((step, Before { id, note })) = self.undo.last(tx)? else { return Ok(None) };
        self.exchange(tx, id, note.as_deref())?;
        self.undo.delete(tx, &step)?;
        Ok(Some(id))
    }

    /// The notes that have, for each of `beginnings`, a word that begins so.
    fn find(&self, tx: &RoTxn<'_>, beginnings: &[String]) -> Result<BTreeSet<u64>> {
        let mut found: Option<BTreeSet<u64>> = None;
        for beginning in beginnings.iter().map(|word| word.to_lowercase()) {
            let with_it = self.by_word.prefix_iter(tx, &beginning)?.move_through_duplicate_values();
            let with_it = with_it.map(|entry| Ok(entry?.1)).collect::<Result<BTreeSet<u64>>>()?;
            found = Some(found.map_or(with_it.clone(), |found| &found & &with_it));
        }
        Ok(found.unwrap_or_default())
    }

    fn print(&self, tx: &RoTxn<'_>, ids: impl IntoIterator<Item = u64>) -> Result<()> {
        for id in ids {
            if let Some(note) = self.notes.get(tx, &id)? {
                println!("{id}: {note}");
            }
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (path, command) = arguments.next().zip(arguments.next()).ok_or("notes FILE add|edit|remove|find|list|undo")?;
    let arguments: Vec<String> = arguments.collect();
    let mut options = EnvOpenOptions::new();
    options.map_size(1 << 30).max_dbs(3);
    // SAFETY: no other program truncates the file, and this process opens it once.
    let env = unsafe { options.flags(EnvFlags::NO_SUB_DIR).open(path)? };
    let store = Store::open(&env)?;
    let mut tx = env.write_txn()?;

    let id = || arguments.first().ok_or("which note?")?.parse::<u64>().map_err(Box::<dyn Error>::from);
    match command.as_str() {
        "add" => println!("note {}", store.add(&mut tx, &arguments.join(" "))?),
        "edit" => store.change(&mut tx, id()?, Some(&arguments[1..].join(" ")))?,
        "remove" => store.change(&mut tx, id()?, None)?,
        "undo" => match store.undo(&mut tx)? {
            Some(id) => println!("note {id} is as it was"),
            None => println!("nothing to take back"),
        },
        "find" => store.print(&tx, store.find(&tx, &arguments)?)?,
        "list" => {
            let ids = store.notes.iter(&tx)?.map(|row| Ok(row?.0)).collect::<Result<Vec<_>>>()?;
            store.print(&tx, ids)?;
        }
        other => return Err(format!("no command {other}: add, edit, remove, find, list, undo").into()),
    }
    Ok(tx.commit()?)
}
