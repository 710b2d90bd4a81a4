//! The index beside a sorted map of histories.
#![cfg(test)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]

use std::collections::BTreeMap;

use kv_testkit::Random;

use super::*;

/// Per key its changes: revision, and whether it is a put.
type Model = BTreeMap<Vec<u8>, Vec<(Revision, bool)>>;

fn live(model: &Model, interval: &Interval, at: i64) -> Vec<(Vec<u8>, Revision)> {
    let found = model.iter().filter(|(key, _)| interval.contains(key)).filter_map(|(key, changes)| {
        let (revision, put) = changes.iter().rfind(|(revision, _)| revision.main <= at)?;
        put.then(|| (key.clone(), *revision))
    });
    found.collect()
}

fn check(index: &Index, model: &Model, random: &mut Random, oldest: i64, newest: i64) {
    assert_eq!(index.keys(), model.len() as u64);
    for _ in 0..4 {
        let at = oldest + random.below((newest - oldest) as usize + 2) as i64;
        let bound = |random: &mut Random| bytes::Bytes::from(key(random));
        let end = (random.below(3) > 0).then(|| bound(random));
        let interval = Interval { start: bound(random), end };
        let (mut found, mut count, mut from) = (Vec::new(), 0, Some(Box::from(&interval.start[..])));
        while let Some(start) = from {
            from = index.visit(&start, &interval, 2, |part| {
                count += part.count(at);
                found.extend(part.live(at).map(|(key, found)| (key.to_vec(), found.revision)));
            });
        }
        assert_eq!(found, live(model, &interval, at), "{interval:?} at {at}");
        assert_eq!(count, found.len());
    }
}

fn key(random: &mut Random) -> Vec<u8> {
    let len = 1 + random.below(3);
    (0..len).map(|_| *random.pick(b"abcdefghijkl")).collect()
}

#[test]
fn random_changes() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let (mut index, mut model) = (Index::new(), Model::new());
        let (mut main, mut compacted) = (1, 0);
        for step in 0..2000 {
            main += 1;
            let (key, revision) = (key(&mut random), Revision::new(main, 0));
            let is_live = model.get(&key).and_then(|changes| changes.last()).is_some_and(|(_, put)| *put);
            if is_live && random.below(3) == 0 {
                index.delete(&key, revision);
                model.get_mut(&key).expect("it is live").push((revision, false));
            } else {
                index.put(&key, revision);
                model.entry(key.clone()).or_default().push((revision, true));
            }
            if random.below(10) == 0 {
                index.undo(&key);
                let changes = model.get_mut(&key).expect("it was changed");
                changes.pop();
                if changes.is_empty() {
                    model.remove(&key);
                }
            }
            if step % 400 == 399 {
                compacted += random.below((main - compacted) as usize) as i64;
                let (mut from, mut gone) = (Some(Box::default()), 0);
                while let Some(start) = from {
                    from = index.compact(&start, compacted, Tombstones::KeepAtCompactRev, |_, _| gone += 1);
                }
                let before: usize = model.values().map(Vec::len).sum();
                model.retain(|_, changes| {
                    let last = changes.iter().rposition(|(revision, _)| revision.main <= compacted);
                    if let Some(last) = last {
                        let (revision, put) = changes[last];
                        changes.drain(..last + usize::from(!put && revision.main < compacted));
                    }
                    !changes.is_empty()
                });
                assert_eq!(before - gone, model.values().map(Vec::len).sum::<usize>());
            }
            if step % 50 == 0 {
                check(&index, &model, &mut random, compacted, main);
            }
        }
        check(&index, &model, &mut random, compacted, main);
    }
}

#[test]
fn keys_in_order_fill_their_leaves() {
    let mut index = Index::new();
    for n in 0..10_000_i64 {
        index.put(format!("{n:08}").as_bytes(), Revision::new(n + 2, 0));
    }
    assert!(index.leaves.len() <= 10_000 / KEYS_MAX + 1, "{} leaves", index.leaves.len());
}
