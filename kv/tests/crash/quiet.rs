//! A commit that has no pages of its own, after commits that were not synced: its meta is the only thing that it writes, and
//! is not to be the only thing that it makes durable.

use std::ops::ControlFlow;
use std::sync::Arc;

use kv::FreelistSync;
use kv_testkit::budget::seed;
use kv_testkit::engine::execute_beside;
use kv_testkit::model::Model;
use pagefile_std::sim::SimDisk;

use crate::config::{CONFIGS, filled, puts};
use crate::judge::{Judge, Moment, strategy};
use crate::state::State;

#[test]
fn a_commit_without_pages_makes_durable_what_was_not_synced_before_it() {
    let mut judge = Judge::new();
    for &config in CONFIGS.iter().filter(|config| config.freelist_sync == FreelistSync::OnClose) {
        let disk = Arc::new(SimDisk::new());
        let db = config.options().open_store(Box::new(Arc::clone(&disk))).expect("an empty disk");
        let mut model = Model::default();
        db.set_no_sync(true);
        for changes in [filled(3, 10), puts("a", 0, 40, 300), puts("a", 7, 3, 900)] {
            db.update(|tx| execute_beside(tx, &mut model, &changes)).expect("nothing fails");
        }
        db.shrink(|_| ControlFlow::Continue(())).expect("nothing fails");
        db.set_no_sync(false);
        disk.take_epochs();
        db.shrink(|_| ControlFlow::Break(())).expect("nothing fails");
        let epoch = disk.take_epochs().pop().expect("the open one");
        let now = Moment { epoch, allowed: vec![State::of(model)] };
        judge.all(config, &now, &strategy(8, 20, seed())).unwrap_or_else(|wrong| panic!("{config:?}: {wrong}"));
    }
    println!("\n{} images after a commit without pages", judge.opened);
}
