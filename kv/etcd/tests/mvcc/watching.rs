//! Watches hear everything once, in order, and nobody waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kv_etcd::mvcc::{
    CompactRequest, DeleteRangeRequest, Events, Options, PutRequest, RequestOp, Store, TxnRequest, WatchRequest,
    WatchUpdate, Watcher,
};
use kv_testkit::Random;

use crate::{Bench, delete, put};

/// The next update, which must come soon.
fn next(watcher: &mut Watcher) -> WatchUpdate {
    watcher.next_timeout(Duration::from_secs(30)).expect("no error").expect("it comes")
}

fn events(watcher: &mut Watcher) -> Arc<Events> {
    match next(watcher) {
        WatchUpdate::Events(events) => events,
        other => panic!("{other:?}"),
    }
}

/// `revision key=value`, or `revision -key`, of each event.
fn heard(events: &Events) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let one = |event: &kv_etcd::mvcc::Event| {
        let (revision, key) = (event.kv.mod_revision, text(&event.kv.key));
        if event.is_delete {
            format!("{revision} -{key}")
        } else {
            format!("{revision} {key}={}", text(&event.kv.value))
        }
    };
    events.events.iter().map(one).collect()
}

fn nothing(watcher: &mut Watcher) {
    let update = watcher.next_timeout(Duration::from_millis(50)).expect("no error");
    assert_eq!(update, None);
}

#[test]
fn history_then_live() {
    let bench = Bench::new();
    let store = bench.open();
    put(&store, "a", "1");
    put(&store, "b", "2");
    put(&store, "ab", "3");
    delete(&store, "a");
    let request = WatchRequest { start_revision: 2, ..WatchRequest::prefix("a") };
    let mut watcher = store.watch(request, || ()).expect("a watch");
    assert_eq!(watcher.created_at(), 5);
    let history = events(&mut watcher);
    assert_eq!(heard(&history), ["2 a=1", "4 ab=3", "5 -a"]);
    assert_eq!(history.revision, 5, "the current one");
    nothing(&mut watcher);
    assert_eq!(watcher.progress(), Some(5));
    put(&store, "b", "x");
    put(&store, "ac", "y");
    let live = events(&mut watcher);
    assert_eq!((heard(&live), live.revision), (vec!["7 ac=y".to_owned()], 7));
    let both = TxnRequest {
        success: vec![
            RequestOp::Put(PutRequest::new("a2", "v")),
            RequestOp::Put(PutRequest::new("b2", "v")),
            RequestOp::DeleteRange(DeleteRangeRequest::key("ac")),
        ],
        ..TxnRequest::default()
    };
    store.txn(both).expect("a transaction");
    assert_eq!(heard(&events(&mut watcher)), ["8 a2=v", "8 -ac"], "a transaction is heard at once");
}

#[test]
fn filters_and_what_was_before() {
    let bench = Bench::new();
    let store = bench.open();
    let all = WatchRequest { prev_kv: true, ..WatchRequest::key("a") };
    let mut all = store.watch(all, || ()).expect("a watch");
    let mut puts = store.watch(WatchRequest { no_delete: true, ..WatchRequest::key("a") }, || ()).expect("a watch");
    let mut deletes = store.watch(WatchRequest { no_put: true, ..WatchRequest::key("a") }, || ()).expect("a watch");
    put(&store, "a", "1");
    put(&store, "a", "2");
    delete(&store, "a");
    let past = WatchRequest { prev_kv: true, start_revision: 2, ..WatchRequest::key("a") };
    let mut past = store.watch(past, || ()).expect("a watch");
    let prev = |events: &Events| -> Vec<Option<String>> {
        let value = |kv: &kv_etcd::mvcc::KeyValue| String::from_utf8_lossy(&kv.value).into_owned();
        events.events.iter().map(|event| event.prev_kv.as_ref().map(value)).collect()
    };
    let expected = [None, Some("1".to_owned()), Some("2".to_owned())];
    for before in &expected {
        assert_eq!(prev(&events(&mut all)), std::slice::from_ref(before));
    }
    assert_eq!(prev(&events(&mut past)), expected);
    let later = WatchRequest { prev_kv: true, start_revision: 3, ..WatchRequest::key("a") };
    let mut later = store.watch(later, || ()).expect("a watch");
    assert_eq!(prev(&events(&mut later)), expected[1..]);
    assert_eq!(heard(&events(&mut puts)), ["2 a=1"]);
    assert_eq!(heard(&events(&mut puts)), ["3 a=2"]);
    nothing(&mut puts);
    assert_eq!(heard(&events(&mut deletes)), ["4 -a"]);
    nothing(&mut deletes);
}

/// A delete of all keys from one on, before a put of one of them: the put makes a new key, and those that hear of it later hear
/// the same.
#[test]
fn nothing_was_before_a_key_that_its_transaction_has_deleted() {
    let bench = Bench::new();
    let store = bench.open();
    let request = || WatchRequest { prev_kv: true, start_revision: 2, ..WatchRequest::key("a") };
    let mut live = store.watch(request(), || ()).expect("a watch");
    put(&store, "a", "1");
    let again = TxnRequest {
        success: vec![
            RequestOp::DeleteRange(DeleteRangeRequest::range("a", "\0")),
            RequestOp::Put(PutRequest::new("a", "2")),
        ],
        ..TxnRequest::default()
    };
    store.txn(again).expect("a transaction");
    let mut late = store.watch(request(), || ()).expect("a watch");
    let late = &events(&mut late).events;
    let heard: Vec<_> = [events(&mut live), events(&mut live)].iter().flat_map(|part| part.events.clone()).collect();
    assert_eq!((&heard, heard.len()), (late, 3));
    let before: Vec<_> = late.iter().map(|event| event.prev_kv.as_ref().map(|kv| &kv.value[..])).collect();
    assert_eq!(before, [None, Some(&b"1"[..]), None]);
}

#[test]
fn a_compacted_watch_ends() {
    let bench = Bench::new();
    let store = bench.open();
    for n in 0..10 {
        put(&store, "a", &n.to_string());
    }
    store.compact(CompactRequest { revision: 6, physical: true }).expect("a compaction");
    let mut late = store.watch(WatchRequest { start_revision: 5, ..WatchRequest::key("a") }, || ()).expect("a watch");
    assert_eq!(next(&mut late), WatchUpdate::Compacted { compact_revision: 6 });
    nothing(&mut late);
    let request = WatchRequest { start_revision: 6, prev_kv: true, ..WatchRequest::key("a") };
    let mut fine = store.watch(request, || ()).expect("a watch");
    let history = events(&mut fine);
    assert_eq!(heard(&history).len(), 6);
    assert_eq!(history.events[0].prev_kv, None, "that was compacted");
    assert!(history.events[1].prev_kv.is_some());
}

#[test]
fn a_watch_of_the_future_waits_for_it() {
    let bench = Bench::new();
    let store = bench.open();
    let mut watcher =
        store.watch(WatchRequest { start_revision: 4, ..WatchRequest::prefix("") }, || ()).expect("a watch");
    for n in 2..6 {
        put(&store, "a", &n.to_string());
    }
    assert_eq!(heard(&events(&mut watcher)), ["4 a=4"]);
    assert_eq!(heard(&events(&mut watcher)), ["5 a=5"]);
}

#[test]
fn who_asks_hears_of_progress() {
    let bench = Bench::with(Options::new().watch_progress_interval(Duration::from_millis(20)));
    let store = bench.open();
    let request = WatchRequest { progress_notify: true, ..WatchRequest::key("a") };
    let mut watcher = store.watch(request, || ()).expect("a watch");
    put(&store, "b", "1");
    let began = Instant::now();
    while next(&mut watcher) != (WatchUpdate::Progress { revision: 2 }) {
        assert!(began.elapsed() < Duration::from_secs(20), "it hears of the put that is none of its own");
    }
}

#[test]
fn a_slow_watcher_hears_all_and_holds_up_nobody() {
    let bench = Bench::new();
    let store = bench.open();
    let woken = Arc::new(AtomicUsize::new(0));
    let count = woken.clone();
    let wake = move || {
        count.fetch_add(1, Ordering::Relaxed);
    };
    let mut slow = store.watch(WatchRequest::prefix("a"), wake).expect("a watch");
    let mut quick = store.watch(WatchRequest::prefix("a"), || ()).expect("a watch");
    let mut expected = Vec::new();
    for n in 0..2500 {
        let (key, value) = (format!("a{}", n % 7), n.to_string());
        let revision = put(&store, &key, &value);
        expected.push(format!("{revision} {key}={value}"));
        if n % 50 == 49 {
            while quick.progress() != Some(revision) {
                if let Some(update) = quick.next_timeout(Duration::from_millis(1)).expect("no error") {
                    assert!(matches!(update, WatchUpdate::Events(_)));
                }
            }
        }
    }
    assert!(woken.load(Ordering::Relaxed) >= 128, "it was told that there is something");
    assert_eq!(slow.progress(), None);
    let (mut all, mut sizes) = (Vec::new(), Vec::new());
    while all.len() < expected.len() {
        let events = events(&mut slow);
        sizes.push(events.events.len());
        all.extend(heard(&events));
    }
    assert_eq!(all, expected);
    assert!(sizes.contains(&1000), "what it missed comes from the file: {sizes:?}");
    nothing(&mut slow);
}

/// What is put while a watch begins to read its past is told once. That is a matter of microseconds, so there are many tries.
#[test]
fn the_past_ends_where_the_watch_began() {
    let bench = Bench::new();
    let store = bench.open();
    let mut before: Vec<i64> = (0..3).map(|n| put(&store, "a", &n.to_string())).collect();
    for _ in 0..3000 {
        let request = WatchRequest { start_revision: before[0], ..WatchRequest::prefix("a") };
        let mut watcher = store.watch(request, || ()).expect("a watch");
        let (mut expected, mut heard) = (before, Vec::new());
        // What is told twice comes before the second of these.
        for _ in 0..2 {
            expected.push(put(&store, "a", "beside"));
            while heard.last() < expected.last() {
                heard.extend(events(&mut watcher).events.iter().map(|event| event.kv.mod_revision));
            }
        }
        assert_eq!(heard, expected);
        before = expected.split_off(2);
    }
}

/// Watchers of random ranges that come and go beside writers hear exactly what the history says.
#[test]
fn random_watchers_beside_writers() {
    for seed in 0..3 {
        let bench = Bench::new();
        let store = bench.open();
        std::thread::scope(|scope| {
            for writer in 0..2 {
                let store = &store;
                scope.spawn(move || write_at_random(store, Random::of(seed, writer), 400));
            }
            for reader in 10..14 {
                let store = &store;
                scope.spawn(move || watch_at_random(store, &mut Random::of(seed, reader)));
            }
        });
    }
}

fn key(random: &mut Random) -> String {
    format!("{}{}", random.pick(&["a", "b", "c"]), random.below(4))
}

fn write_at_random(store: &Store, mut random: Random, count: usize) {
    for n in 0..count {
        let key = key(&mut random);
        if random.one_in(4) {
            delete(store, &key);
        } else {
            put(store, &key, &n.to_string());
        }
    }
}

fn watch_at_random(store: &Store, random: &mut Random) {
    for _ in 0..6 {
        let start = 1 + i64::try_from(random.below(usize::try_from(store.revision()).expect("small"))).expect("small");
        let prefix = *random.pick(&["a", "b", "c", ""]);
        let request = WatchRequest { start_revision: start, prev_kv: true, ..WatchRequest::prefix(prefix) };
        let mut watcher = store.watch(request.clone(), || ()).expect("a watch");
        let mut all: Vec<kv_etcd::mvcc::Event> = Vec::new();
        for _ in 0..random.below(40) {
            match watcher.next_timeout(Duration::from_millis(3)).expect("no error") {
                Some(WatchUpdate::Events(events)) => all.extend(events.events.iter().cloned()),
                None => {}
                Some(other) => panic!("{other:?}"),
            }
        }
        let Some(last) = all.last().map(|event| event.kv.mod_revision) else { continue };
        let mut again = store.watch(request, || ()).expect("a watch");
        let mut history = Vec::new();
        while history.last().is_none_or(|event: &kv_etcd::mvcc::Event| event.kv.mod_revision < last) {
            history.extend(events(&mut again).events.iter().cloned());
        }
        history.truncate(all.len());
        assert_eq!(all, history, "from {start}, {prefix:?}");
    }
}

#[test]
fn watchers_hear_that_the_store_is_closed() {
    let bench = Bench::new();
    let store = bench.open();
    let mut watcher = store.watch(WatchRequest::prefix(""), || ()).expect("a watch");
    put(&store, "a", "1");
    store.close().expect("it closes");
    assert_eq!(heard(&events(&mut watcher)), ["2 a=1"]);
    let error = watcher.next_timeout(Duration::from_secs(20)).expect_err("it is closed");
    assert_eq!(error.to_string(), "etcdserver: server stopped");
}
