//! A program on a simulated disk, power cuts of its choice, failing calls, and what the images open as.

use std::ops::ControlFlow;
use std::sync::Arc;

use kv::{Db, Error, Options};
use kv_testkit::engine::execute_beside;
use kv_testkit::model::{Model, difference};
use pagefile_std::MemStore;
use pagefile_std::sim::{Call, Fault, Kernel, Plan, SimDisk, SimOptions, Strategy};

use super::operations::{Step, options, steps};

/// Images opened of one input, at most.
const IMAGES: u64 = 24;

/// The first byte chooses the options, the next three what fails and when, the rest is the program.
///
/// # Panics
/// If an image opens as neither the last acknowledged state nor the one in flight.
pub fn run(bytes: &[u8]) {
    let Some(([choice, fault, nth, from], program)) = bytes.split_first_chunk() else { return };
    let options = options(*choice);
    let kernel = [Kernel::StaysDirty, Kernel::CleanNew, Kernel::Reverted][usize::from(choice >> 2) % 3];
    let mut disk = Arc::new(SimDisk::with_options(&[], SimOptions { kernel, ..SimOptions::default() }));
    // An empty store is created without promises; they begin with the first open.
    drop(options.open_store(Box::new(Arc::clone(&disk))).expect("nothing has failed"));
    disk.take_epochs();
    plan(&disk, *fault, *nth);

    let mut states = vec![Model::default()];
    let mut next = Model::default();
    let mut changes = Vec::new();
    let mut db = options.open_store(Box::new(Arc::clone(&disk))).ok();
    for step in steps(program) {
        let Some(open) = &db else { break };
        match step {
            Step::Change(commands) => changes.extend(commands),
            Step::Rollback => changes.clear(),
            Step::Commit => {
                let committed = open.update(|tx| execute_beside(tx, &mut next, &changes));
                changes.clear();
                match committed {
                    Ok(()) => {
                        let during = [states.remove(0), next.clone()];
                        states = vec![next.clone()];
                        cuts(&disk, &options, &during, &states, *from);
                    }
                    Err(Error::Unknown { .. }) => {
                        states.push(next.clone());
                        break;
                    }
                    Err(_) => break,
                }
            }
            Step::Reopen { close } => {
                changes.clear();
                if close {
                    // Fails only if a call fails, which changes nothing that was committed.
                    let _ = db.take().map(Db::close);
                } else {
                    // A process that is killed writes nothing more.
                    disk.plan(Plan { call: None, nth: 1, fault: Fault::Io, for_ever: true });
                }
                drop(db.take());
                disk = Arc::new(disk.reopen());
                db = options.open_store(Box::new(Arc::clone(&disk))).ok();
            }
        }
    }
    drop(db);
    cuts(&disk, &options, &states, &states, *from);
}

fn plan(disk: &SimDisk, fault: u8, nth: u8) {
    let call = [None, Some(Call::Write), Some(Call::Sync), Some(Call::SetLen)][usize::from(fault >> 4) % 4];
    let for_ever = fault & 3 == 3;
    let kind = [Fault::Io, Fault::Full, Fault::Short(700), Fault::Interrupted][usize::from(fault >> 2) % 4];
    if nth > 0 && fault & 3 != 0 {
        disk.plan(Plan { call, nth: nth.into(), fault: kind, for_ever });
    }
}

/// Opens some of the images that a power cut may leave of what the disk has done since the last call: `during` that, or
/// `now`.
fn cuts(disk: &SimDisk, options: &Options, during: &[Model], now: &[Model], from: u8) {
    let strategy = Strategy { exhaustive_max: 3, random: 8, seed: from.into(), ..Strategy::for_pages(1024) };
    let epochs = disk.take_epochs();
    let last = epochs.len() - 1;
    for (at, epoch) in epochs.iter().enumerate() {
        let allowed = if at == last { now } else { during };
        let mut number = u64::from(from);
        let mut opened = 0;
        let _ = epoch.each_power_cut(&strategy, |cut| {
            number += 1;
            if !number.is_multiple_of(37) {
                return ControlFlow::Continue(());
            }
            let store = MemStore::with_bytes(&epoch.image(cut));
            let db =
                options.open_store(Box::new(store)).unwrap_or_else(|error| panic!("{cut:?} does not open: {error}"));
            let tx = db.begin_read();
            assert_eq!(tx.check().expect("it can be checked"), [], "{cut:?}");
            let shown = |model| difference(&tx.root(), model).expect("it can be read").is_none();
            assert!(allowed.iter().any(shown), "{cut:?} is neither state");
            opened += 1;
            if opened < IMAGES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    }
}
