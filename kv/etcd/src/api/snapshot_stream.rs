//! A copy of the file on its way to a client: parts of 32 KiB, and the SHA-256 of them all behind.

use std::io::{self, Write};

use tokio::sync::mpsc;
use tonic::Status;

use super::proto::etcdserverpb::SnapshotResponse;
use crate::mvcc::{self, Store};
use crate::snapshot;

/// Bytes of a part, as etcd cuts it.
const PART_BYTES: usize = 32 << 10;

pub(crate) type Sender = mpsc::Sender<Result<SnapshotResponse, Status>>;

/// Sends the whole file as it is now, and its hash. Waits while the client does not read, so it belongs on a thread of its
/// own.
///
/// # Errors
/// The file cannot be read, or the client has left.
pub(crate) fn send_file(store: &Store, sender: &Sender) -> mvcc::Result<()> {
    let tx = store.begin_read();
    let mut parts = Parts { sender, left: tx.size(), part: Vec::new() };
    snapshot::write_to(&tx, &mut parts)?;
    assert_eq!(parts.left, 0, "the copy is as long as the transaction says");
    let sent = parts.send();
    sent.map_err(|source| kv::Error::Stream { what: "send the snapshot", source }.into())
}

/// Cuts what is written into parts, and sends each. The file ends with a part; its hash is one by itself.
struct Parts<'a> {
    sender: &'a Sender,
    /// Bytes of the file that were not sent.
    left: u64,
    part: Vec<u8>,
}

impl Parts<'_> {
    fn send(&mut self) -> io::Result<()> {
        assert!(!self.part.is_empty() && self.part.len() <= PART_BYTES, "a part has bytes, and not too many");
        let blob = std::mem::take(&mut self.part).into();
        let part = SnapshotResponse { header: None, remaining_bytes: self.left, blob, version: String::new() };
        self.sender.blocking_send(Ok(part)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Parts<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let of_file = usize::try_from(self.left).unwrap_or(usize::MAX);
        let whole = if self.left == 0 { PART_BYTES } else { of_file.min(PART_BYTES) };
        assert!(self.part.len() < whole, "a full part has been sent");
        let taken = &bytes[..bytes.len().min(whole - self.part.len())];
        self.part.extend_from_slice(taken);
        if self.part.len() == whole {
            self.left = self.left.saturating_sub(whole as u64);
            self.send()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
