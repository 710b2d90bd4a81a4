//! Any bytes as messages of the API: an answer or a clear refusal each, and a server that goes on. The body of a fuzz
//! target, too.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use kv_etcd::server::{Options, Server};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// Methods that take a message and answer once; then those of streams, of which the first answer is waited for.
const METHODS: [&str; 13] = [
    "/etcdserverpb.KV/Range",
    "/etcdserverpb.KV/Put",
    "/etcdserverpb.KV/DeleteRange",
    "/etcdserverpb.KV/Txn",
    "/etcdserverpb.KV/Compact",
    "/etcdserverpb.Lease/LeaseGrant",
    "/etcdserverpb.Lease/LeaseRevoke",
    "/etcdserverpb.Lease/LeaseTimeToLive",
    "/etcdserverpb.Maintenance/HashKV",
    "/etcdserverpb.Cluster/MemberAdd",
    "/etcdserverpb.KV/RangeStream",
    "/etcdserverpb.Watch/Watch",
    "/etcdserverpb.Lease/LeaseKeepAlive",
];
const STREAMS_FROM: usize = 10;
/// Streams that have nothing to say are left.
const PATIENCE: Duration = Duration::from_millis(20);

/// Bytes as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Messages from bytes: the method, the length, the message, and again.
fn messages(bytes: &[u8]) -> Vec<(usize, Bytes)> {
    let (mut rest, mut messages) = (bytes, Vec::new());
    while let [method, len, more @ ..] = rest {
        let Some((message, more)) = more.split_at_checked(usize::from(*len)) else { break };
        messages.push((usize::from(*method) % METHODS.len(), Bytes::copy_from_slice(message)));
        rest = more;
    }
    messages
}

/// Sends these messages to a new server.
///
/// # Panics
/// If it refuses one in a way that tells of a mistake of its own, or does not go on.
#[allow(unreachable_pub, reason = "a fuzz target calls it")]
pub fn run(bytes: &[u8]) {
    let messages = messages(bytes);
    if messages.is_empty() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut options = Options::new(directory.path());
    options.engine = kv::Options::new().no_sync(true);
    options.listen_client_urls = vec!["http://127.0.0.1:0".parse().expect("an address")];
    let server = Server::start(&options).expect("it starts");
    let url = server.client_urls()[0].to_string();
    Runtime::new().expect("threads").block_on(async {
        let channel = Channel::from_shared(url).expect("an address").connect().await.expect("a server");
        let mut client = Grpc::new(channel);
        for (method, message) in messages {
            client.ready().await.expect("the connection is there");
            let answered = send(&mut client, method, message.clone()).await;
            assert!(answered.is_none_or(is_a_refusal), "{answered:?} to {} of {message:?}", METHODS[method]);
        }
        client.ready().await.expect("the connection is there");
        assert_eq!(send(&mut client, 0, Bytes::from_static(b"\x0a\x01k")).await, None, "it goes on");
    });
    server.stop();
}

/// What is said where the client is wrong, and never where the server is.
fn is_a_refusal(code: Code) -> bool {
    // Internal: what is not a message. Cancelled: the same on a stream of watches.
    matches!(
        code,
        Code::InvalidArgument
            | Code::Cancelled
            | Code::Internal
            | Code::NotFound
            | Code::OutOfRange
            | Code::FailedPrecondition
            | Code::Unimplemented
    )
}

/// The code of a refusal.
async fn send(client: &mut Grpc<Channel>, method: usize, message: Bytes) -> Option<Code> {
    let path = PathAndQuery::from_static(METHODS[method]);
    if method < STREAMS_FROM {
        return client.unary(Request::new(message), path, Raw).await.err().map(|status| status.code());
    }
    let streaming = client.streaming(Request::new(tokio_stream::once(message)), path, Raw);
    let first = async { streaming.await?.into_inner().message().await };
    match timeout(PATIENCE, first).await {
        Ok(Err(status)) => Some(status.code()),
        Ok(Ok(_)) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use kv_etcd::api::proto::etcdserverpb::compare::TargetUnion;
    use kv_etcd::api::proto::etcdserverpb::request_op::Request;
    use kv_etcd::api::proto::etcdserverpb::{
        CompactionRequest, Compare, DeleteRangeRequest, LeaseGrantRequest, PutRequest, RangeRequest, RequestOp,
        TxnRequest,
    };
    use kv_testkit::Random;
    use prost::Message as _;

    fn key(random: &mut Random) -> bytes::Bytes {
        let len = random.below(3);
        random.bytes(len).into()
    }

    /// A message that has a meaning, for its method.
    fn likely(random: &mut Random) -> (u8, Vec<u8>) {
        let put = PutRequest { key: key(random), value: key(random), ..PutRequest::default() };
        let range = RangeRequest { key: key(random), range_end: key(random), ..RangeRequest::default() };
        let delete = DeleteRangeRequest { key: key(random), range_end: key(random), prev_kv: true };
        let numbers = |random: &mut Random| i64::try_from(random.below(9)).unwrap() - 2;
        match random.below(6) {
            0 => (0, range.encode_to_vec()),
            1 => (1, put.encode_to_vec()),
            2 => (2, delete.encode_to_vec()),
            3 => {
                let requests = [Request::RequestPut(put), Request::RequestRange(range)];
                let target_union = Some(TargetUnion::Version(numbers(random)));
                let compare = Compare { key: key(random), target_union, ..Compare::default() };
                let success = requests.map(|request| RequestOp { request: Some(request) }).into();
                (3, TxnRequest { compare: vec![compare], success, failure: Vec::new() }.encode_to_vec())
            }
            4 => (4, CompactionRequest { revision: numbers(random), physical: true }.encode_to_vec()),
            _ => (5, LeaseGrantRequest { id: numbers(random), ttl: 1000 }.encode_to_vec()),
        }
    }

    #[test]
    fn likely_messages() {
        let mut random = Random::new(5);
        for _ in 0..40 {
            let mut bytes = Vec::new();
            for _ in 0..40 {
                let (mut method, mut message) = likely(&mut random);
                if random.one_in(3) && !message.is_empty() {
                    let at = random.below(message.len());
                    message[at] = random.bytes(1)[0];
                }
                if random.one_in(6) {
                    method = random.bytes(1)[0];
                }
                bytes.extend([method, u8::try_from(message.len()).unwrap()]);
                bytes.extend(message);
            }
            super::run(&bytes);
        }
    }
}
