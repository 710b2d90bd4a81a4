//! The service Watch: one stream of answers for any number of watches.
//!
//! Each stream has a task. It takes requests as they come, and asks those watches that the store has woken. What it finds
//! it hands to the connection, and waits while the client does not read: the watches then fall behind, and catch up from
//! the file later. So a client that stops reading costs a bounded number of events, and holds up nobody.

mod message;
mod stream;
mod woken;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use self::stream::Stream;
use super::node::Node;
use super::proto::etcdserverpb::watch_server::Watch;
use super::proto::etcdserverpb::{WatchRequest, WatchResponse};

/// The service Watch of a node.
#[derive(Debug)]
pub(crate) struct WatchService(pub(crate) Arc<Node>);

/// Answers of a stream that were made and not yet sent.
const ANSWERS_MAX: usize = 16;

#[tonic::async_trait]
impl Watch for WatchService {
    type WatchStream = ReceiverStream<Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<Streaming<WatchRequest>>) -> Result<Response<Self::WatchStream>, Status> {
        let (sender, answers) = mpsc::channel(ANSWERS_MAX);
        let node = Arc::clone(&self.0);
        tokio::spawn(async move {
            if let Err(status) = Stream::new(&node, &sender).serve(request.into_inner()).await {
                let _ = sender.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}
