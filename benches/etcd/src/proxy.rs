//! The service KV before a Redis: a put is a SET, a get of one key a GET. Redis has no revisions: they are counted here,
//! and a compaction has nothing to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use kv_etcd::api::proto::etcdserverpb::kv_server::{Kv, KvServer};
use kv_etcd::api::proto::etcdserverpb::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse,
    RangeRequest, RangeResponse, RangeStreamResponse, ResponseHeader, TxnRequest, TxnResponse,
};
use kv_etcd::mvcc::KeyValue;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::redis::Redis;

struct Proxy {
    redis: Redis,
    revision: AtomicI64,
}

/// Serves at an address until it is killed.
pub(crate) fn serve(address: &str, redis: &str) -> anyhow::Result<()> {
    Runtime::new()?.block_on(async {
        let redis = loop {
            // It was started just before.
            match Redis::connect(redis).await {
                Ok(redis) => break redis,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        };
        let service = KvServer::from_arc(Arc::new(Proxy { redis, revision: AtomicI64::new(1) }));
        Ok(Server::builder().add_service(service).serve(address.parse()?).await?)
    })
}

impl Proxy {
    #[expect(clippy::unnecessary_wraps, reason = "messages have it so")]
    fn header(revision: i64) -> Option<ResponseHeader> {
        Some(ResponseHeader { cluster_id: 1, member_id: 1, revision, raft_term: 1 })
    }

    fn now(&self) -> i64 {
        self.revision.load(Ordering::Relaxed)
    }
}

fn failed(error: &anyhow::Error) -> Status {
    Status::unavailable(error.to_string())
}

fn word(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tonic::async_trait]
impl Kv for Proxy {
    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        let PutRequest { key, value, .. } = request.into_inner();
        self.redis.command(vec![word("SET"), key, value]).await.map_err(|error| failed(&error))?;
        let revision = self.revision.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Response::new(PutResponse { header: Self::header(revision), prev_kv: None }))
    }

    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        let key = request.into_inner().key;
        let value = self.redis.command(vec![word("GET"), key.clone()]).await.map_err(|error| failed(&error))?;
        let kvs: Vec<KeyValue> =
            value.into_iter().map(|value| KeyValue { key: key.clone(), value, ..KeyValue::default() }).collect();
        let count = i64::try_from(kvs.len()).unwrap_or_default();
        Ok(Response::new(RangeResponse { header: Self::header(self.now()), kvs, more: false, count }))
    }

    async fn compact(&self, _: Request<CompactionRequest>) -> Result<Response<CompactionResponse>, Status> {
        Ok(Response::new(CompactionResponse { header: Self::header(self.now()) }))
    }

    async fn delete_range(&self, _: Request<DeleteRangeRequest>) -> Result<Response<DeleteRangeResponse>, Status> {
        Err(Status::unimplemented("the proxy only puts and gets"))
    }

    async fn txn(&self, _: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        Err(Status::unimplemented("the proxy only puts and gets"))
    }

    type RangeStreamStream = ReceiverStream<Result<RangeStreamResponse, Status>>;

    async fn range_stream(&self, _: Request<RangeRequest>) -> Result<Response<Self::RangeStreamStream>, Status> {
        Err(Status::unimplemented("the proxy only puts and gets"))
    }
}
