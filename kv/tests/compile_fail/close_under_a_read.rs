//! A database cannot be closed while a transaction borrows it.

fn close(db: kv::Db) -> kv::Result<()> {
    let tx = db.begin_read();
    db.close()?; //~ E0505
    println!("{}", tx.id());
    Ok(())
}

fn main() {}
