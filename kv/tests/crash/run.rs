//! A program on a simulated disk, and what each moment of it may lead back to.

use std::ops::ControlFlow;
use std::sync::Arc;

use kv::{Db, Durability, Error, ReadTx, StoreError};
use kv_testkit::engine::execute_beside;
use kv_testkit::model::{Model, difference};
use kv_testkit::program::Settings;
use pagefile_std::Operation;
use pagefile_std::sim::{SimDisk, SimOptions};

use crate::config::{Base, Changes, PAGE_SIZE};
use crate::judge::Moment;
use crate::reach;
use crate::state::{State, shows};

/// A disk, the process that has it open, and what it knows to be durable.
pub(crate) struct Run {
    pub(crate) config: Settings,
    pub(crate) disk: Arc<SimDisk>,
    pub(crate) db: Option<Db>,
    /// What the disk may lead back to now, in their order: one state, or two where a commit ended without saying, or those since
    /// the last sync where commits become durable later.
    pub(crate) allowed: Vec<Arc<State>>,
    /// Readers of older states, with what they have to see for as long as they like.
    held: Vec<(ReadTx<'static>, Arc<State>)>,
}

impl Run {
    pub(crate) fn on(config: Settings, base: &Base, options: SimOptions) -> Run {
        let disk = Arc::new(SimDisk::with_options(&base.bytes, options));
        reach::watch(&disk, PAGE_SIZE);
        Run { config, disk, db: None, allowed: base.allowed.clone(), held: Vec::new() }
    }

    pub(crate) fn is_eventual(&self) -> bool {
        matches!(self.config.durability, Durability::Eventual(_))
    }

    /// What readers see: the newest state, or the one before a commit that ended without saying.
    fn shown(&self) -> &Arc<State> {
        if self.is_eventual() { &self.allowed[self.allowed.len() - 1] } else { &self.allowed[0] }
    }

    /// What the database holds, which must not be in doubt.
    pub(crate) fn model(&self) -> &Model {
        assert!(self.is_eventual() || self.allowed.len() == 1, "nobody knows before it is opened again");
        &self.shown().model
    }

    /// Everything that was committed is durable.
    fn all_is_durable(&mut self) {
        self.allowed = vec![Arc::clone(self.shown())];
    }

    /// Makes all commits durable that are not.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        self.db().sync().map(|()| self.all_is_durable())
    }

    /// Opens it. Where it was in doubt which state the disk would lead back to, this decides it.
    pub(crate) fn open(&mut self) -> Result<(), Error> {
        let db = self.config.options().open_store(Box::new(Arc::clone(&self.disk)))?;
        let mut found = None;
        for state in &self.allowed {
            if found.is_none() && shows(&db.begin_read().root(), &state.model)? {
                found = Some(Arc::clone(state));
            }
        }
        self.allowed = vec![found.expect("opens as one of the allowed states")];
        self.db = Some(db);
        Ok(())
    }

    pub(crate) fn db(&self) -> &Db {
        self.db.as_ref().expect("it is open")
    }

    /// Does these changes in one transaction. Where it is unknown whether it was committed, both states are allowed.
    pub(crate) fn commit(&mut self, changes: &Changes) -> Result<(), Error> {
        let mut model = self.model().clone();
        let mut tx = self.db().begin_write()?;
        execute_beside(&mut tx, &mut model, changes)?;
        let committed = tx.commit();
        match &committed {
            Ok(()) if !self.is_eventual() => self.allowed = vec![State::of(model)],
            Ok(()) | Err(Error::Unknown { .. }) => self.allowed.push(State::of(model)),
            Err(_) => {}
        }
        committed
    }

    /// Goes back to the state of the oldest reader that is held.
    pub(crate) fn restore(&mut self) -> Result<(), Error> {
        let (snapshot, state) = self.held.first().expect("a reader is held");
        let mut tx = self.db().begin_write()?;
        tx.restore_from(snapshot)?;
        let committed = tx.commit();
        let state = Arc::clone(state);
        match &committed {
            Ok(()) => self.allowed = vec![state],
            Err(Error::Unknown { .. }) => self.allowed.push(state),
            Err(_) => {}
        }
        committed
    }

    /// Makes the file shorter at once. A truncation that fails is told, and that is all that comes of it.
    pub(crate) fn shrink(&mut self) -> Result<(), Error> {
        match self.db().shrink(|_| ControlFlow::Continue(())) {
            Ok(_) | Err(Error::Store(StoreError::Io { operation: Operation::Truncate, .. })) => {
                self.all_is_durable();
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether readers see just the state that was acknowledged last.
    pub(crate) fn shows_what_was_acknowledged(&self) -> bool {
        shows(&self.db().begin_read().root(), &self.shown().model).expect("reads go on")
    }

    /// Closes it as a program does that ends in good order.
    pub(crate) fn close(&mut self) -> Result<(), Error> {
        self.held.clear();
        self.db.take().map_or(Ok(()), Db::close).map(|()| {
            if self.is_eventual() {
                self.all_is_durable();
            }
        })
    }

    /// The process dies and the page cache lives: the next [`open`](Self::open) finds what was written, synced or not.
    pub(crate) fn kill(&mut self) {
        self.held.clear();
        self.db = None;
        self.disk = Arc::new(self.disk.reopen());
    }

    /// A reader that stays.
    pub(crate) fn hold(&mut self) {
        let tx = self.db().begin_read_owned();
        self.held.push((tx, Arc::clone(self.shown())));
    }

    /// Asserts that every reader still sees what it saw first, and lets it go.
    pub(crate) fn release(&mut self) {
        for (tx, state) in self.held.drain(..) {
            let difference = difference(&tx.root(), &state.model).expect("a snapshot stays readable");
            assert_eq!(difference, None, "a reader's snapshot has changed");
            // A copy reads every page of the state, the free ones too.
            tx.write_to(&mut std::io::sink()).expect("a snapshot stays whole");
        }
    }

    /// What the disk may have held since the last call: during the step just made, and now. `before` are the states
    /// that were allowed before the step.
    pub(crate) fn moments(&self, before: &[Arc<State>]) -> Vec<Moment> {
        let mut during = before.to_vec();
        during.extend(self.allowed.iter().filter(|state| before.iter().all(|old| old.model != state.model)).cloned());
        let mut epochs = self.disk.take_epochs();
        let now = epochs.pop().map(|epoch| Moment { epoch, allowed: self.allowed.clone() });
        epochs.into_iter().map(|epoch| Moment { epoch, allowed: during.clone() }).chain(now).collect()
    }

    /// Makes a step, and tells what the disk may have held during and after it.
    pub(crate) fn step<T>(&mut self, step: impl FnOnce(&mut Run) -> T) -> (T, Vec<Moment>) {
        let before = self.allowed.clone();
        let made = step(self);
        (made, self.moments(&before))
    }
}
