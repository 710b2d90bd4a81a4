//! The judge of images: opens what a power cut has left, and says what is wrong with it.

use std::ops::ControlFlow;
use std::sync::Arc;

use kv::{Db, Durability, Error, FreelistOrigin, FreelistSync, Options};
use kv_testkit::model::Model;
use kv_testkit::program::Settings;
use pagefile_std::PageStore;
use pagefile_std::sim::{Epoch, ImageStore, Images, PowerCut, Strategy};

use crate::config::PAGE_SIZE;
use crate::reach::{is_extended, is_marked_file, metas_fit, slot_changed};
use crate::state::{MARK, State, shows};

/// What a disk may hold at some moment, and the states that it must lead back to one of.
pub(crate) struct Moment {
    pub(crate) epoch: Epoch,
    pub(crate) allowed: Vec<Arc<State>>,
}

/// Opens images one after the other, in the memory of the one before.
pub(crate) struct Judge {
    images: Images,
    /// How many images were opened and compared.
    pub(crate) opened: u64,
}

/// Why an image is wrong.
pub(crate) type Verdict = Result<(), String>;

impl Judge {
    pub(crate) fn new() -> Judge {
        Judge { images: Images::new(), opened: 0 }
    }

    /// Judges all the images of this moment that the strategy asks for.
    pub(crate) fn all(&mut self, config: Settings, moment: &Moment, strategy: &Strategy) -> Verdict {
        slot_kept(moment)?;
        let outcome = moment.epoch.each_power_cut(strategy, |cut| match self.image(config, moment, cut) {
            Ok(()) => ControlFlow::Continue(()),
            Err(wrong) => ControlFlow::Break(wrong),
        });
        outcome.break_value().map_or(Ok(()), Err)
    }

    /// Judges about `count` of them, evenly chosen.
    pub(crate) fn some(&mut self, config: Settings, moment: &Moment, strategy: &Strategy, count: u64) -> Verdict {
        slot_kept(moment)?;
        for cut in some_cuts(&moment.epoch, strategy, count) {
            self.image(config, moment, &cut)?;
        }
        Ok(())
    }

    /// Opens one image: it must be one of the allowed states, pass the check, take a commit and open again with it.
    pub(crate) fn image(&mut self, config: Settings, moment: &Moment, cut: &PowerCut) -> Verdict {
        let store = self.images.store(&moment.epoch, cut);
        self.opened += 1;
        let judged = judge(config, &store, &moment.allowed);
        drop(store);
        judged.map_err(|wrong| {
            let states = moment.allowed.len();
            format!("{wrong}; {cut:?}, ended by {:?}, {states} states are allowed", moment.epoch.ended_by())
        })
    }
}

fn judge(config: Settings, store: &Arc<ImageStore>, allowed: &[Arc<State>]) -> Verdict {
    metas_fit(&store.view(), PAGE_SIZE).map_or(Ok(()), Err)?;
    let options = config.options();
    let open = || options.open_store(Box::new(Arc::clone(store)));
    let mut metas = vec![0; 2 * PAGE_SIZE as usize];
    store.read_at(0, &mut metas).map_err(|error| format!("has no metas: {error}"))?;
    let extended = is_extended(&metas, PAGE_SIZE);
    let models: Vec<&Model> = allowed.iter().map(|state| &state.model).collect();
    let shown = if is_marked_file(&metas, PAGE_SIZE) { Some(read_only(store, &models)?) } else { None };
    let db = open().map_err(|error| format!("does not open: {error}"))?;
    logged(config, &db, extended)?;
    let found = find(&db, &models)?.ok_or("opens as none of the allowed states")?;
    if shown.is_some_and(|shown| shown != found) {
        return Err("shows another state to who only reads".into());
    }
    db.update(|tx| tx.create_bucket(MARK.0)?.put(MARK.1, MARK.2))
        .map_err(|error| format!("takes no commit: {error}"))?;
    db.close().map_err(|error| format!("does not close: {error}"))?;
    let db = open().map_err(|error| format!("does not open again: {error}"))?;
    logged(config, &db, true)?;
    let kept = find(&db, &[&allowed[found].marked])?;
    kept.map(|_| ()).ok_or_else(|| "a commit after it is not what it should be".into())
}

/// Which of these states a file with a redo log shows to who does not bring it into the trees first.
fn read_only(store: &Arc<ImageStore>, models: &[&Model]) -> Result<usize, String> {
    let opened = Options::new().read_only(true).open_store(Box::new(Arc::clone(store)));
    let db = opened.map_err(|error| format!("does not open read-only: {error}"))?;
    find(&db, models)?.ok_or_else(|| "opens read-only as none of the allowed states".into())
}

/// Nothing is searched for where commits write a log, and their metas are whole. The list of a new file is checked; from the
/// first commit on there is a log.
fn logged(config: Settings, db: &Db, extended: bool) -> Verdict {
    let origin = db.stats().freelist;
    let expected = match config.freelist_sync {
        // Free pages are searched for once, when the log is replayed, and a list or a log of them is left behind.
        _ if config.durability == Durability::Log => {
            !matches!(origin, FreelistOrigin::Rebuilt(_) | FreelistOrigin::LogLost(_))
        }
        FreelistSync::Log if extended => origin == FreelistOrigin::Logged,
        FreelistSync::Log => matches!(origin, FreelistOrigin::Checked | FreelistOrigin::Walked),
        _ => !matches!(origin, FreelistOrigin::Logged | FreelistOrigin::LogLost(_)),
    };
    if expected { Ok(()) } else { Err(format!("has its free pages from {origin:?}")) }
}

/// Checks the database, and finds what it shows among these.
fn find(db: &Db, models: &[&Model]) -> Result<Option<usize>, String> {
    let tx = db.begin_read();
    let find = || -> Result<_, Error> {
        let mut found = None;
        for (index, model) in models.iter().enumerate() {
            if found.is_none() && shows(&tx.root(), model)? {
                found = Some(index);
            }
        }
        Ok((found, tx.check()?))
    };
    match find() {
        Err(error) => Err(format!("cannot be read: {error}")),
        Ok((_, problems)) if !problems.is_empty() => Err(format!("is inconsistent: {}", problems[0])),
        Ok((found, _)) => Ok(found),
    }
}

fn slot_kept(moment: &Moment) -> Verdict {
    slot_changed(&moment.epoch, PAGE_SIZE).map_or(Ok(()), Err)
}

/// About `count` power cuts in this epoch, evenly chosen of those that the strategy asks for.
pub(crate) fn some_cuts(epoch: &Epoch, strategy: &Strategy, count: u64) -> Vec<PowerCut> {
    let all = epoch.each_power_cut(strategy, |_| ControlFlow::<()>::Continue(())).continue_value().unwrap_or(0);
    let (mut number, mut chosen) = (0, Vec::new());
    let _ = epoch.each_power_cut(strategy, |cut| {
        // The first and the last, and those between at equal distances.
        if number * count / all.max(1) != (number + 1) * count / all.max(1) || number == 0 {
            chosen.push(cut.clone());
        }
        number += 1;
        ControlFlow::<()>::Continue(())
    });
    chosen
}

/// A strategy that takes every subset of up to `few` sectors or pages, and `random` of more.
pub(crate) fn strategy(few: usize, random: usize, seed: u64) -> Strategy {
    Strategy { exhaustive_max: few, random, seed, ..Strategy::for_pages(PAGE_SIZE as usize) }
}
