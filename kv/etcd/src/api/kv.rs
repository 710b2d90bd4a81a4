//! The service KV.

use std::sync::Arc;

use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::convert;
use super::errors::of_store;
use super::node::Node;
use super::proto::etcdserverpb::kv_server::Kv;
use super::proto::etcdserverpb::request_op::Request as Operation;
use super::proto::etcdserverpb::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse,
    RangeRequest, RangeResponse, RangeStreamResponse, RequestOp, TxnRequest, TxnResponse,
};
use crate::mvcc;

/// The service KV of a node.
#[derive(Debug)]
pub(crate) struct KvService(pub(crate) Arc<Node>);

#[tonic::async_trait]
impl Kv for KvService {
    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        let request = convert::range(request.into_inner())?;
        // One key is a page or two: less than what it costs to hand the question to another thread.
        let done = if request.range_end.is_empty() {
            let done = self.0.store.range(request).map_err(|error| of_store(&error))?;
            debug_assert!(done.kvs.len() <= 1 && !done.more, "there is one value of a key");
            done
        } else {
            self.0.read(move |store| store.range(request)).await?
        };
        Ok(Response::new(self.0.ranged(done)))
    }

    type RangeStreamStream = ReceiverStream<Result<RangeStreamResponse, Status>>;

    async fn range_stream(&self, request: Request<RangeRequest>) -> Result<Response<Self::RangeStreamStream>, Status> {
        let request = convert::range(request.into_inner())?;
        if !request.key.is_empty() {
            check_stream(&request)?;
        }
        // One is on its way while the next is read: a client that stops reading stops the reads.
        let (sender, chunks) = mpsc::channel(1);
        let node = Arc::clone(&self.0);
        tokio::spawn(async move {
            if let Err(status) = stream(&node, request, &sender).await {
                let _ = sender.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(chunks)))
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        let request = request.into_inner();
        self.0.admit(&request)?;
        self.0.admit_bytes(put_cost(&request)).await?;
        let done = self.0.write(convert::put(request)).await?;
        Ok(Response::new(self.0.was_put(done)))
    }

    async fn delete_range(
        &self,
        request: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        let request = request.into_inner();
        self.0.admit(&request)?;
        let done = self.0.write(convert::delete_range(request)).await?;
        Ok(Response::new(self.0.deleted(done)))
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        let request = request.into_inner();
        self.0.admit(&request)?;
        self.0.admit_bytes(txn_cost(&request)).await?;
        let only_reads = only_reads(&request);
        debug_assert!(!only_reads || txn_cost(&request) == 0, "a read takes no space");
        let request = convert::txn(request)?;
        let done = if only_reads {
            self.0.read(move |store| store.txn(request)).await?
        } else {
            self.0.write(request).await?
        };
        Ok(Response::new(self.0.decided(done)))
    }

    async fn compact(&self, request: Request<CompactionRequest>) -> Result<Response<CompactionResponse>, Status> {
        let CompactionRequest { revision, physical } = request.into_inner();
        let done = self.0.write(mvcc::CompactRequest { revision, physical }).await?;
        assert!(revision <= done.revision, "the future is not compacted");
        Ok(Response::new(CompactionResponse { header: self.0.header(done.revision) }))
    }
}

/// What etcd takes a put to need, beside its bytes.
const PUT_OVERHEAD: u64 = 256;

fn put_cost(put: &PutRequest) -> u64 {
    PUT_OVERHEAD + (put.key.len() + put.value.len()) as u64
}

/// The dearer branch counts. Deletes cost nothing: they are how space comes free.
fn txn_cost(txn: &TxnRequest) -> u64 {
    let branch = |operations: &[RequestOp]| {
        let cost = |operation: &RequestOp| match &operation.request {
            Some(Operation::RequestPut(put)) => put_cost(put),
            Some(Operation::RequestTxn(txn)) => txn_cost(txn),
            _ => 0,
        };
        operations.iter().map(cost).sum::<u64>()
    };
    branch(&txn.success).max(branch(&txn.failure))
}

fn only_reads(txn: &TxnRequest) -> bool {
    txn.success.iter().chain(&txn.failure).all(|operation| match &operation.request {
        Some(Operation::RequestRange(_)) | None => true,
        Some(Operation::RequestPut(_) | Operation::RequestDeleteRange(_)) => false,
        Some(Operation::RequestTxn(txn)) => only_reads(txn),
    })
}

fn check_stream(request: &mvcc::RangeRequest) -> Result<(), Status> {
    if request.sort_target != mvcc::SortTarget::Key || request.sort_order == mvcc::SortOrder::Descend {
        return Err(Status::unimplemented("RangeStream does not support custom sort orders"));
    }
    let bounds =
        [request.min_mod_revision, request.max_mod_revision, request.min_create_revision, request.max_create_revision];
    if bounds != [0; 4] {
        return Err(Status::unimplemented("RangeStream does not support revision filters"));
    }
    Ok(())
}

/// Keys of the first part of a stream; the next ones follow the size of what was sent.
const FIRST_PART: i64 = 10;

/// Sends a range in parts, all read at one revision. Only the last part has header, count and `more`.
async fn stream(
    node: &Node,
    mut request: mvcc::RangeRequest,
    sender: &mpsc::Sender<Result<RangeStreamResponse, Status>>,
) -> Result<(), Status> {
    let mut left = if request.limit > 0 { request.limit } else { i64::MAX };
    let mut part = FIRST_PART;
    let (mut sent, mut newest) = (0, None);
    loop {
        request.limit = part.min(left);
        let mut counting = request.clone();
        let mut done = node.read(move |store| store.range(request)).await?;
        let newest = *newest.get_or_insert(done.revision);
        if counting.revision <= 0 {
            counting.revision = newest;
        }
        let taken = i64::try_from(done.kvs.len()).unwrap_or(i64::MAX);
        assert!(taken <= counting.limit && counting.limit <= left, "a range keeps to its limit");
        (sent, left) = (sent + taken, left - taken);
        let last = !done.more || left == 0 || counting.count_only;
        assert!(last || taken > 0, "where there is more, some was sent");
        let next = done.kvs.last().map(|kv| [&kv.key[..], b"\0"].concat());
        let bytes: usize = done.kvs.iter().map(Message::encoded_len).sum();
        let count = if counting.count_only { done.count } else { sent + done.count - taken };
        let kvs = std::mem::take(&mut done.kvs);
        let response = if last {
            RangeResponse { header: node.header(newest), kvs, more: done.more, count }
        } else {
            RangeResponse { kvs, ..RangeResponse::default() }
        };
        let sending = sender.send(Ok(RangeStreamResponse { range_response: Some(response) }));
        if sending.await.is_err() || last {
            return Ok(());
        }
        counting.key = next.expect("there is more, so a key was sent").into();
        part = next_part(part, bytes, node.limits.request_bytes);
        request = counting;
    }
}

/// Parts come to be of about one request's size.
fn next_part(part: i64, bytes: usize, target: usize) -> i64 {
    assert!(part > 0, "a part has a key at least");
    if bytes < target / 2 {
        part.saturating_mul(2)
    } else if bytes > target.saturating_mul(2) {
        (part / 2).max(1)
    } else {
        part
    }
}
