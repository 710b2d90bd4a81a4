//! Connections of clients, each ready to be spoken to: by TLS where the address says so.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener as Bound};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// A client that has not said its first word by then is sent away: connections that stay half open would use up
/// the process's file descriptors.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// How long to wait when the system has no more file descriptors: some are given back meanwhile.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// Connections that are ready and not yet served.
const READY_MAX: usize = 128;

/// A connection to a client.
#[derive(Debug)]
pub(crate) enum Connection {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// Listeners that hand over connections once clients have begun to speak, or the TLS handshake is done.
pub(crate) struct Connections {
    ready: mpsc::Sender<io::Result<Connection>>,
}

impl Connections {
    pub(crate) fn new() -> (Self, mpsc::Receiver<io::Result<Connection>>) {
        let (ready, connections) = mpsc::channel(READY_MAX);
        assert_eq!(ready.capacity(), READY_MAX, "nobody has come yet");
        (Self { ready }, connections)
    }

    /// Accepts what comes in at an address until the receiver is gone.
    pub(crate) fn accept(&self, bound: Bound, tls: Option<TlsAcceptor>) -> io::Result<()> {
        bound.set_nonblocking(true)?;
        let listener = TcpListener::from_std(bound)?;
        let ready = self.ready.clone();
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = ready.closed() => return,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((stream, _)) => drop(tokio::spawn(hand_over(stream, tls.clone(), ready.clone()))),
                    Err(_) => sleep(EXHAUSTED).await,
                }
            }
        });
        Ok(())
    }
}

/// A client that closes early, is too slow, or fails the handshake is forgotten: there is nobody to tell.
async fn hand_over(stream: TcpStream, tls: Option<TlsAcceptor>, ready: mpsc::Sender<io::Result<Connection>>) {
    let secure = tls.is_some();
    let connection = tokio::select! {
        () = ready.closed() => return,
        connection = timeout(FIRST_WORD, begin(stream, tls)) => connection,
    };
    if let Ok(Ok(connection)) = connection {
        debug_assert_eq!(
            secure,
            matches!(connection, Connection::Secure(_)),
            "no word goes in the clear that should not"
        );
        let _ = ready.send(Ok(connection)).await;
    }
}

async fn begin(stream: TcpStream, tls: Option<TlsAcceptor>) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    match tls {
        Some(acceptor) => {
            let accepting: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(acceptor.accept(stream));
            Ok(Connection::Secure(Box::new(accepting.await?)))
        }
        None if stream.peek(&mut [0]).await? == 0 => Err(io::ErrorKind::UnexpectedEof.into()),
        None => Ok(Connection::Plain(stream)),
    }
}

impl Connected for Connection {
    type ConnectInfo = Option<SocketAddr>;

    fn connect_info(&self) -> Option<SocketAddr> {
        match self {
            Self::Plain(stream) => stream.peer_addr().ok(),
            Self::Secure(stream) => stream.get_ref().0.peer_addr().ok(),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Secure(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Secure(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Secure(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Secure(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Secure(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
