//! `update` commits; its closure has the transaction on loan and cannot.

fn commit(db: &kv::Db) -> kv::Result<()> {
    db.update(|tx| {
        tx.commit()?; //~ E0507
        Ok(())
    })
}

fn main() {}
