//! Nor while it is being written.

fn close(db: kv::Db) -> kv::Result<()> {
    let tx = db.begin_write()?;
    db.close()?; //~ E0505
    tx.commit()
}

fn main() {}
