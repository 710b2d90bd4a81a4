//! A file that becomes shorter, beside bbolt: it opens the file at every step, and writes on.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use kv::{Db, Error, Options};
use kv_testkit::Random;
use kv_testkit::engine::{self, dump_file};
use kv_testkit::peer::Peer;
use kv_testkit::program::{Action, Command, Settings, Step, Transaction, Value, path};

beside_each_bbolt!(bbolt_opens_the_file_at_every_step_of_shrinking_it_and_writes_on);

/// Many values in two buckets, one inside the other; then four of five go.
fn fill(db: &Db, random: &mut Random) {
    db.update(|tx| {
        let mut outer = tx.create_bucket_if_absent("outer")?;
        for n in 0..600 {
            outer.put(format!("{n:05}"), random.bytes(random.clone().below(900)))?;
        }
        let mut inner = outer.create_bucket_if_absent("inner")?;
        (0..300).try_for_each(|n| inner.put(format!("{n:05}"), random.bytes(400)))
    })
    .expect("kv writes");
    db.update(|tx| {
        let mut outer = tx.bucket_mut("outer")?;
        let mut number = 0;
        let mut keep = |_: &[u8], _: &[u8]| {
            number += 1;
            number % 5 == 0
        };
        outer.retain(&mut keep)?;
        outer.bucket_mut("inner")?.retain(&mut keep).map(drop)
    })
    .expect("kv deletes");
}

fn bbolt_opens_the_file_at_every_step_of_shrinking_it_and_writes_on(peer: &mut Peer) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (file, copy) = (directory.path().join("db"), directory.path().join("copy"));
    let settings = Settings::new(1024, true, kv::FreelistSync::Log);
    let mut random = Random::new(1);
    for round in 0..3 {
        let db = Options::new().page_size(1024).open(&file).expect("kv opens what bbolt has written");
        fill(&db, &mut random);
        let content = db.view(|tx| Ok::<_, Error>(kv_testkit::model::Model::read(&tx.root())?.dump())).expect("a dump");
        let look = |peer: &mut Peer, path: &Path| {
            peer.check(path).expect("bbolt's check");
            assert_eq!(peer.dump(path).expect("bbolt's dump"), content);
        };
        let shrunk = db
            .shrink(|_| {
                // bbolt wants the lock of the file itself.
                fs::copy(&file, &copy).expect("there is room");
                look(peer, &copy);
                ControlFlow::Continue(())
            })
            .expect("kv shrinks");
        assert!(shrunk.pages_moved > 0, "{shrunk:?}");
        assert!(cfg!(windows) || shrunk.bytes < shrunk.bytes_before, "{shrunk:?}");
        db.close().expect("kv closes");
        look(peer, &file);
        let put = |n: u8| Command::new(path("outer"), Action::Put(vec![b'b', round, n], Value::Plain(vec![1; 700])));
        let commands: Vec<Command> = (0..100).map(put).collect();
        let program = [Step::Transaction(Transaction { commands, commits: true })];
        peer.run(&file, settings, &program).expect("bbolt writes on");
        engine::check(&file).expect("kv's check");
        assert_eq!(dump_file(&file).expect("kv's dump"), peer.dump(&file).expect("bbolt's dump"));
    }
}
