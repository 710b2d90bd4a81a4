//! A client of Redis, as much as the proxy needs: one connection, and requests that do not wait for each other.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

/// The answer to a command: a bulk string, or nothing.
pub(crate) type Answer = anyhow::Result<Option<Bytes>>;

type Waiting = oneshot::Sender<Answer>;

/// A connection.
#[derive(Clone, Debug)]
pub(crate) struct Redis {
    commands: mpsc::Sender<(Vec<Bytes>, Waiting)>,
}

impl Redis {
    pub(crate) async fn connect(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let (commands, asked) = mpsc::channel(1000);
        let (sent, waiting) = mpsc::unbounded_channel();
        tokio::spawn(send(BufWriter::new(write), asked, sent));
        tokio::spawn(receive(BufReader::new(read), waiting));
        Ok(Self { commands })
    }

    /// Sends a command, and returns its answer.
    pub(crate) async fn command(&self, words: Vec<Bytes>) -> Answer {
        let (tell, told) = oneshot::channel();
        self.commands.send((words, tell)).await.context("the connection is gone")?;
        told.await.context("the connection is gone")?
    }
}

/// Commands that are there at the same time go out together.
async fn send(
    mut stream: BufWriter<OwnedWriteHalf>,
    mut commands: mpsc::Receiver<(Vec<Bytes>, Waiting)>,
    sent: mpsc::UnboundedSender<Waiting>,
) -> anyhow::Result<()> {
    let mut together = Vec::new();
    while commands.recv_many(&mut together, 100).await > 0 {
        for (words, waiting) in together.drain(..) {
            stream.write_all(format!("*{}\r\n", words.len()).as_bytes()).await?;
            for word in words {
                stream.write_all(format!("${}\r\n", word.len()).as_bytes()).await?;
                stream.write_all(&word).await?;
                stream.write_all(b"\r\n").await?;
            }
            sent.send(waiting)?;
        }
        stream.flush().await?;
    }
    Ok(())
}

/// Answers come in the order of the commands.
async fn receive(
    mut stream: BufReader<OwnedReadHalf>,
    mut waiting: mpsc::UnboundedReceiver<Waiting>,
) -> anyhow::Result<()> {
    while let Some(waiting) = waiting.recv().await {
        let answer = answer(&mut stream).await;
        // Who has asked may have gone.
        let _ = waiting.send(answer);
    }
    Ok(())
}

async fn answer(stream: &mut BufReader<OwnedReadHalf>) -> Answer {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let line = line.trim_end();
    match line.split_at_checked(1) {
        Some(("+" | ":", text)) => Ok(Some(text.to_owned().into())),
        Some(("$", "-1")) => Ok(None),
        Some(("$", length)) => {
            let mut value = vec![0; length.parse::<usize>()? + 2];
            stream.read_exact(&mut value).await?;
            value.truncate(value.len() - 2);
            Ok(Some(value.into()))
        }
        _ => bail!("Redis says {line:?}"),
    }
}
