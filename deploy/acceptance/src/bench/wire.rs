//! HTTP/1.1 over a kept connection, with requests whose bytes were made before. What a load costs
//! its maker is taken from what it loads: a client library's care for each request would be measured
//! as the product's.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use eventify_lan_client::pinned_tls;
use eventify_protocol::hash::Hash32;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// An answer larger than this is none of ours.
const MAX_ANSWER_BYTES: usize = 1 << 20;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection, one request at a time.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// The bytes of a request.
pub(super) fn request(
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: bench\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str("content-type: application/json\r\n");
    }
    text.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

impl Connection {
    /// To the core.
    pub(super) async fn plain(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// To the node with this key.
    pub(super) async fn pinned(address: SocketAddr, key: Hash32) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(std::sync::Arc::new(pinned_tls(key)?));
        let name = ServerName::from(address.ip());
        Ok(Self::over(connector.connect(name, stream).await?))
    }

    fn over(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            read: Vec::new(),
        }
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.read.clear();
        loop {
            if let Some(head) = head(&self.read)?
                && self.read.len() >= head.body_at + head.body_bytes
            {
                let body = self.read[head.body_at..head.body_at + head.body_bytes].to_vec();
                let status = head.status;
                return Ok(Answer { status, body });
            }
            ensure!(self.read.len() < MAX_ANSWER_BYTES, "an answer without end");
            let read = self.stream.read_buf(&mut self.read).await?;
            ensure!(read > 0, "the connection was closed before the answer");
        }
    }
}

struct Head {
    status: u16,
    body_at: usize,
    body_bytes: usize,
}

/// The head of an answer, if all of it is there.
fn head(read: &[u8]) -> Result<Option<Head>> {
    let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&read[..end]).context("a head that is no text")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|word| word.parse().ok());
    let mut body_bytes = 0;
    for line in lines {
        let (name, value) = line.split_once(':').context("a header without a colon")?;
        if name.eq_ignore_ascii_case("content-length") {
            body_bytes = value.trim().parse().context("content-length")?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("an answer in pieces is not read here");
        }
    }
    Ok(Some(Head {
        status: status.with_context(|| format!("no status in: {text}"))?,
        body_at: end + 4,
        body_bytes,
    }))
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    async fn answered(pieces: &[&'static str]) -> Result<Answer> {
        let (ours, mut theirs) = duplex(1024);
        let pieces = pieces.to_vec();
        tokio::spawn(async move {
            for piece in pieces {
                theirs.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut connection = Connection::over(ours);
        connection.ask(b"GET / HTTP/1.1\r\n\r\n").await
    }

    #[test]
    fn a_request_says_how_long_it_is() {
        let signed = [("signature", "sig=:AA==:".to_owned())];
        let bytes = request("POST", "/v1/scans", &signed, b"{}");
        let expected = "POST /v1/scans HTTP/1.1\r\nhost: bench\r\nsignature: sig=:AA==:\r\n\
                        content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[tokio::test]
    async fn an_answer_is_read_however_it_is_cut() {
        let expected = Answer {
            status: 200,
            body: b"hello".to_vec(),
        };
        for pieces in [
            &["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"][..],
            &[
                "HTTP/1.1 200 OK\r\ncontent-le",
                "ngth: 5\r\n\r",
                "\nhel",
                "lo",
            ],
        ] {
            assert_eq!(answered(pieces).await.unwrap(), expected);
        }
        let empty = answered(&["HTTP/1.1 204 No Content\r\nx: y\r\n\r\n"]).await;
        assert_eq!(empty.unwrap().status, 204);
    }

    #[tokio::test]
    async fn what_is_no_whole_answer_is_an_error() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "SMTP\r\n\r\n",
        ] {
            assert!(answered(&[answer]).await.is_err(), "{answer:?}");
        }
    }
}
