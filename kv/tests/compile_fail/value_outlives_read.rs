//! A value lies in the map that its transaction keeps: it cannot outlive it.

fn value(db: &kv::Db) -> kv::Result<()> {
    let tx = db.begin_read();
    let value = tx.bucket("b")?.get("key")?;
    drop(tx); //~ E0505
    println!("{value:?}");
    Ok(())
}

fn main() {}
