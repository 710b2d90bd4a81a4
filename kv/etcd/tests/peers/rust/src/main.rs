//! What users of the crate `etcd-client` do, against a server whose address is the argument.
#![forbid(unsafe_code)]

use std::time::Duration;

use etcd_client::{
    Client, Compare, CompareOp, DeleteOptions, Error, EventType, GetOptions, PutOptions, SortOrder, SortTarget, Txn,
    TxnOp, TxnOpResponse, WatchOptions,
};
use tokio::time::timeout;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1).expect("the server's address");
    let client = Client::connect([url], None).await?;
    let recipes = async {
        keys(client.clone()).await?;
        comparisons(client.clone()).await?;
        leases(client.clone()).await?;
        watches(client.clone()).await?;
        mutex(client).await
    };
    timeout(Duration::from_secs(60), recipes).await.expect("a minute is enough")
}

async fn keys(mut client: Client) -> Result<(), Error> {
    let first = client.put("rust/a", "1", None).await?.header().expect("a header").revision();
    let second = client.put("rust/a", "2", Some(PutOptions::new().with_prev_key())).await?;
    assert_eq!(second.prev_key().expect("it was there").value(), b"1");
    client.put("rust/b", "x", None).await?;
    let old = client.get("rust/a", Some(GetOptions::new().with_revision(first))).await?;
    assert_eq!(old.kvs()[0].value(), b"1");
    let sorted = GetOptions::new().with_prefix().with_sort(SortTarget::Mod, SortOrder::Descend).with_limit(1);
    let newest = client.get("rust/", Some(sorted)).await?;
    assert_eq!((newest.kvs()[0].key(), newest.count(), newest.more()), (&b"rust/b"[..], 2, true));
    let gone = client.delete("rust/b", Some(DeleteOptions::new().with_prev_key())).await?;
    assert_eq!((gone.deleted(), gone.prev_kvs()[0].value()), (1, &b"x"[..]));
    assert_eq!(client.get("rust/b", None).await?.count(), 0);
    Ok(())
}

async fn comparisons(mut client: Client) -> Result<(), Error> {
    client.put("rust/compared", "old", None).await?;
    let replace = Txn::new()
        .when([Compare::value("rust/compared", CompareOp::Equal, "old")])
        .and_then([TxnOp::put("rust/compared", "new", None)])
        .or_else([TxnOp::get("rust/compared", None)]);
    assert!(client.txn(replace.clone()).await?.succeeded());
    let refused = client.txn(replace).await?;
    assert!(!refused.succeeded());
    let [TxnOpResponse::Get(seen)] = &refused.op_responses()[..] else { panic!("{refused:?}") };
    assert_eq!(seen.kvs()[0].value(), b"new");
    Ok(())
}

async fn leases(mut client: Client) -> Result<(), Error> {
    let id = client.lease_grant(100, None).await?.id();
    client.put("rust/leased", "v", Some(PutOptions::new().with_lease(id))).await?;
    let (mut keeper, mut answers) = client.lease_keep_alive(id).await?;
    keeper.keep_alive().await?;
    assert_eq!(answers.message().await?.expect("an answer").ttl(), 100);
    assert!(client.leases().await?.leases().iter().any(|lease| lease.id() == id));
    client.lease_revoke(id).await?;
    assert_eq!(client.get("rust/leased", None).await?.count(), 0);
    Ok(())
}

async fn watches(mut client: Client) -> Result<(), Error> {
    let start = client.put("rust/watched", "0", None).await?.header().expect("a header").revision();
    let from_there = WatchOptions::new().with_start_revision(start).with_prev_key();
    let mut watch = client.watch("rust/watched", Some(from_there)).await?;
    client.put("rust/watched", "1", None).await?;
    client.delete("rust/watched", None).await?;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let answer = watch.message().await?.expect("the stream goes on");
        seen.extend(answer.events().iter().map(|event| {
            let value = event.kv().expect("a key").value().to_vec();
            (event.event_type(), value)
        }));
    }
    assert_eq!(seen, [(EventType::Put, b"0".into()), (EventType::Put, b"1".into()), (EventType::Delete, vec![])]);
    Ok(())
}

/// A mutex as a key that hangs on its holder's lease: whoever makes it has it.
async fn mutex(mut client: Client) -> Result<(), Error> {
    let lease = client.lease_grant(60, None).await?.id();
    let take = |holder: &'static str| {
        let options = PutOptions::new().with_lease(lease);
        Txn::new().when([Compare::create_revision("rust/mutex", CompareOp::Equal, 0)]).and_then([TxnOp::put(
            "rust/mutex",
            holder,
            Some(options),
        )])
    };
    assert!(client.txn(take("first")).await?.succeeded());
    assert!(!client.txn(take("second")).await?.succeeded());
    client.delete("rust/mutex", None).await?;
    assert!(client.txn(take("second")).await?.succeeded());
    client.lease_revoke(lease).await?;
    assert!(client.txn(take("third")).await.is_err(), "its lease is gone");
    Ok(())
}
