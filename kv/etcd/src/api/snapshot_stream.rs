//! A copy of the file on its way to a client: parts of 32 KiB, and the SHA-256 of them all behind.

use std::io::{self, Write};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tonic::Status;

use super::proto::etcdserverpb::SnapshotResponse;
use crate::mvcc::{self, Store};

/// Bytes of a part, as etcd cuts it.
const PART_BYTES: usize = 32 << 10;

pub(crate) type Sender = mpsc::Sender<Result<SnapshotResponse, Status>>;

/// Sends the whole file as it is now. Waits while the client does not read, so it belongs on a thread of its own.
///
/// # Errors
/// The file cannot be read, or the client has left.
pub(crate) fn send_file(store: &Store, sender: &Sender) -> mvcc::Result<()> {
    let tx = store.begin_read();
    let mut parts = Parts { sender, left: tx.size(), part: Vec::new(), hash: Sha256::new() };
    tx.write_to(&mut parts)?;
    let sent = parts.flush().and_then(|()| {
        assert_eq!(parts.left, 0, "the copy is as long as the transaction says");
        parts.part = parts.hash.finalize_reset().to_vec();
        parts.send()
    });
    sent.map_err(|source| kv::Error::Stream { what: "send the snapshot", source }.into())
}

/// Cuts what is written into parts, and sends each.
struct Parts<'a> {
    sender: &'a Sender,
    /// Bytes of the file that were not sent.
    left: u64,
    part: Vec<u8>,
    hash: Sha256,
}

impl Parts<'_> {
    fn send(&mut self) -> io::Result<()> {
        let blob = std::mem::take(&mut self.part).into();
        let part = SnapshotResponse { header: None, remaining_bytes: self.left, blob, version: String::new() };
        self.sender.blocking_send(Ok(part)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Parts<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = &bytes[..bytes.len().min(PART_BYTES - self.part.len())];
        self.part.extend_from_slice(taken);
        self.hash.update(taken);
        if self.part.len() == PART_BYTES {
            self.flush()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.part.is_empty() {
            return Ok(());
        }
        self.left = self.left.saturating_sub(self.part.len() as u64);
        self.send()
    }
}
