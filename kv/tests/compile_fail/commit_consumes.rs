//! A transaction ends with its commit.

fn twice(mut tx: kv::WriteTx<'_>) -> kv::Result<()> {
    tx.commit()?;
    tx.create_bucket("late")?; //~ E0382
    Ok(())
}

fn main() {}
