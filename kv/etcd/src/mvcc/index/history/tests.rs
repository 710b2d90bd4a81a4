//! Histories beside a list of what happened.
#![cfg(test)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]

use kv_testkit::Random;

use super::*;

/// What happened to a key, all of it: a put with its creation and version, or a delete.
#[derive(Clone, Default)]
struct Model(Vec<(Revision, Option<(i64, i64)>)>);

impl Model {
    fn at(&self, at: i64) -> Option<Found> {
        let (revision, put) = self.0.iter().rfind(|(revision, _)| revision.main <= at)?;
        put.map(|(created, version)| Found { revision: *revision, created, version })
    }

    /// etcd's rule, as its reference has it.
    fn compact(&mut self, at: i64, tombstones: Tombstones) -> Vec<(Revision, bool)> {
        let last = self.0.iter().rposition(|(revision, _)| revision.main <= at);
        let kept = |index: usize, revision: Revision, put: bool| {
            revision.main > at
                || Some(index) == last && (put || revision.main == at && tombstones == Tombstones::KeepAtCompactRev)
        };
        let (mut gone, mut index) = (Vec::new(), 0);
        self.0.retain(|(revision, put)| {
            let keep = kept(index, *revision, put.is_some());
            if !keep {
                gone.push((*revision, put.is_none()));
            }
            index += 1;
            keep
        });
        gone
    }
}

#[test]
fn random_lives() {
    let mut random = Random::new(11);
    for round in 0..3000 {
        let tombstones = *random.pick(&[Tombstones::KeepAtCompactRev, Tombstones::DropAtCompactRev]);
        let (mut model, mut history) = (Model::default(), None::<History>);
        let (mut main, mut compacted) = (1, 0);
        for _ in 0..random.below(40) {
            let state = model.at(i64::MAX);
            main += 1 + random.below(3) as i64;
            let revision = Revision::new(main, random.below(3) as u32);
            match random.below(8) {
                0 | 1 if state.is_some() => {
                    history.as_mut().expect("it is live").delete(revision);
                    model.0.push((revision, None));
                }
                2 if compacted < main => {
                    compacted += random.below((main - compacted) as usize + 1) as i64;
                    let mut gone = Vec::new();
                    if let Some(some) = &mut history
                        && !some.compact(compacted, tombstones, |revision, tombstone| gone.push((revision, tombstone)))
                    {
                        history = None;
                    }
                    assert_eq!(gone, model.compact(compacted, tombstones), "round {round}");
                }
                3 if model.0.last().is_some_and(|(revision, _)| revision.main > compacted) => {
                    model.0.pop();
                    if !history.as_mut().expect("it has a change").undo() {
                        history = None;
                    }
                }
                _ => {
                    let (created, version) = state.map_or((main, 1), |found| (found.created, found.version + 1));
                    model.0.push((revision, Some((created, version))));
                    match &mut history {
                        Some(history) => history.put(revision),
                        None => history = Some(History::first(revision)),
                    }
                }
            }
            for at in compacted..=main + 1 {
                assert_eq!(history.as_ref().and_then(|history| history.at(at)), model.at(at), "round {round} at {at}");
            }
            let changes: Vec<_> = model.0.iter().map(|(revision, put)| (*revision, put.is_none())).collect();
            assert_eq!(history.as_ref().map_or(Vec::new(), History::changes), changes, "round {round}");
            assert_eq!(history.as_ref().is_some_and(History::is_live), model.at(i64::MAX).is_some());
        }
    }
}
