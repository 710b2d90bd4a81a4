//! The shortest complete program: a database, a bucket, a key.
//!
//! ```sh
//! cargo run -p kv-examples --bin hello
//! ```

use kv::Db;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let db = Db::open(directory.path().join("hello.db"))?;

    // A transaction is atomic: if the closure fails, nothing changes.
    db.update(|tx| tx.create_bucket_if_absent("greetings")?.put("world", "hello"))?;

    db.view(|tx| {
        let greeting = tx.bucket("greetings")?.get("world")?;
        assert_eq!(greeting, Some(&b"hello"[..]));
        println!("{}, world", String::from_utf8_lossy(greeting.unwrap_or_default()));
        Ok(())
    })?;

    db.close()?;
    Ok(())
}
