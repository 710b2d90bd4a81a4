//! A file with a redo log, beside bbolt: it refuses the file while the trees may lack a commit, and takes it afterwards.

use std::fs;

use kv::{Db, Durability, Error, Options};
use kv_testkit::Random;
use kv_testkit::engine::{self, dump_file};
use kv_testkit::model::Model;
use kv_testkit::peer::Peer;
use kv_testkit::program::{Action, Command, Settings, Step, Transaction, Value, path};

beside_each_bbolt!(bbolt_refuses_a_file_with_a_log_and_takes_it_afterwards);

fn content(db: &Db) -> String {
    db.view(|tx| Ok::<_, Error>(Model::read(&tx.root())?.dump())).expect("a dump")
}

fn bbolt_refuses_a_file_with_a_log_and_takes_it_afterwards(peer: &mut Peer) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (file, copy) = (directory.path().join("db"), directory.path().join("copy"));
    let logged = Options::new().page_size(1024).durability(Durability::Log).log_size(0).log_memory(0);
    let mut random = Random::new(1);
    for round in 0..3u8 {
        let db = logged.open(&file).expect("kv opens what bbolt has written");
        for number in 0..40u8 {
            db.update(|tx| {
                let value = random.bytes(random.clone().below(600));
                tx.create_bucket_if_absent("outer")?.put([round, number], value)
            })
            .expect("kv writes");
            // bbolt wants the lock of the file itself.
            fs::copy(&file, &copy).expect("there is room");
            let refused = peer.check(&copy).expect_err("bbolt opens a file whose newest commit it does not see");
            assert!(refused.contains("version mismatch"), "{refused}");
        }
        let expected = content(&db);
        drop(Options::new().open(&copy).expect("what a crash leaves opens"));
        db.close().expect("kv closes");
        for path in [&copy, &file] {
            peer.check(path).expect("bbolt's check");
            assert_eq!(peer.dump(path).expect("bbolt's dump"), expected, "{}", path.display());
        }
        let put = |n: u8| Command::new(path("outer"), Action::Put(vec![b'b', round, n], Value::Plain(vec![1; 700])));
        let commands: Vec<Command> = (0..30).map(put).collect();
        let program = [Step::Transaction(Transaction { commands, commits: true })];
        peer.run(&file, Settings::new(1024, true, kv::FreelistSync::Every), &program).expect("bbolt writes on");
        engine::check(&file).expect("kv's check");
        assert_eq!(dump_file(&file).expect("kv's dump"), peer.dump(&file).expect("bbolt's dump"));
    }
}
