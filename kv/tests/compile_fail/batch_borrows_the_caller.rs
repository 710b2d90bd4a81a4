//! The closure of `batch` may run in another caller's thread: it owns what it uses.

fn count(db: &kv::Db) -> kv::Result<()> {
    let mut count = 0;
    db.batch(|_| Ok(count += 1))?; //~ E0373
    db.sync()
}

fn main() {}
