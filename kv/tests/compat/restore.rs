//! What `restore_from` leaves, beside bbolt: its check finds nothing, it reads what the snapshot had, and writes on.

use kv_testkit::Random;
use kv_testkit::engine::execute_beside;
use kv_testkit::generate::{Shape, changes};
use kv_testkit::model::Model;
use kv_testkit::peer::Peer;
use kv_testkit::program::{Action, Command, Settings, Step, Transaction, Value, path};

beside_each_bbolt!(bbolt_reads_what_was_restored);

fn bbolt_reads_what_was_restored(peer: &mut Peer) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for seed in 0..8 {
        let mut random = Random::of(seed, 74);
        let file = directory.path().join(seed.to_string());
        let settings = *random.pick(&Settings::all(1024));
        let db = settings.options().open(&file).expect("kv makes a file");
        let (mut model, mut held) = (Model::default(), Vec::new());
        for round in 0..12 {
            let commands = changes(&mut random, &mut model.clone(), &Shape::SMALL);
            db.update(|tx| execute_beside(tx, &mut model, &commands)).expect("kv writes");
            held.push((db.begin_read_owned(), model.clone()));
            if round % 3 == 2 {
                let (snapshot, had) = random.pick(&held);
                db.update(|tx| tx.restore_from(snapshot)).expect("kv restores");
                model = had.clone();
            }
        }
        drop(held);
        db.close().expect("kv closes the file");
        peer.check(&file).expect("bbolt's check");
        assert_eq!(peer.dump(&file).expect("bbolt's dump"), model.dump(), "seed {seed}");
        let put = Action::Put(b"key".to_vec(), Value::Plain(b"after".to_vec()));
        let commands = vec![Command::new(path("after"), Action::Create), Command::new(path("after"), put)];
        let step = Step::Transaction(Transaction { commands, commits: true });
        let outcomes = peer.run(&file, Settings { page_size: 1024, ..settings }, &[step]).expect("bbolt writes on");
        assert!(outcomes.iter().all(|outcome| outcome == "ok"), "{outcomes:?}");
        kv_testkit::engine::check(&file).expect("kv's check");
    }
}
