//! A pooler before PostgreSQL in transaction mode: a connection has whichever session is free for as long as
//! a transaction lasts, the one first that was used last. Sessions are opened by the clients' own sign-ins.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// `SSLRequest` of the protocol, instead of a version.
const ASKS_FOR_TLS: u32 = 80_877_103;
const AUTHENTICATION: u8 = b'R';
/// Kinds of it that the client does not answer: done, and the last word before that.
const UNANSWERED: [u32; 2] = [0, 12];
const READY: u8 = b'Z';
const IDLE: u8 = b'I';
const QUERY: u8 = b'Q';
const SYNC: u8 = b'S';
const TERMINATE: u8 = b'X';

type Sessions = Arc<Mutex<Vec<TcpStream>>>;

/// It ends with this value.
#[derive(Debug)]
pub struct Pooler {
    pub address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Pooler {
    /// Before the server at this address.
    pub async fn before(server: SocketAddr, mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sessions = Sessions::default();
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let sessions = Arc::clone(&sessions);
                // It ends with its client.
                tokio::spawn(async move { serve(client, server, mode, sessions).await.ok() });
            }
        });
        Self { address, accepting }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A session for as long as its client is there.
    Session,
    /// The same, and a connection's `options` are not passed on.
    SessionWithoutOptions,
    Transaction,
}

async fn serve(
    mut client: TcpStream,
    server: SocketAddr,
    mode: Mode,
    sessions: Sessions,
) -> io::Result<()> {
    let opened = sign_in(&mut client, server, mode).await?;
    let mut held = None;
    match mode {
        Mode::Session | Mode::SessionWithoutOptions => held = Some(opened),
        Mode::Transaction => sessions.lock().unwrap().insert(0, opened),
    }
    loop {
        let (kind, message) = typed(&mut client).await?;
        if kind == TERMINATE {
            return Ok(());
        }
        let taken = held.take().or_else(|| sessions.lock().unwrap().pop());
        let mut session = taken.ok_or(ErrorKind::ResourceBusy)?;
        session.write_all(&message).await?;
        let mut is_idle = false;
        if matches!(kind, QUERY | SYNC) {
            loop {
                let (kind, message) = typed(&mut session).await?;
                client.write_all(&message).await?;
                if kind == READY {
                    is_idle = message.ends_with(&[IDLE]);
                    break;
                }
            }
        }
        if is_idle && mode == Mode::Transaction {
            sessions.lock().unwrap().push(session);
        } else {
            held = Some(session);
        }
    }
}

/// Opens a session with the client's own password.
async fn sign_in(client: &mut TcpStream, server: SocketAddr, mode: Mode) -> io::Result<TcpStream> {
    let mut session = TcpStream::connect(server).await?;
    let mut begin = untyped(client).await?;
    while begin.get(4..8) == Some(&ASKS_FOR_TLS.to_be_bytes()) {
        client.write_all(b"N").await?;
        begin = untyped(client).await?;
    }
    if mode == Mode::SessionWithoutOptions {
        begin = without_options(&begin);
    }
    session.write_all(&begin).await?;
    loop {
        let (kind, message) = typed(&mut session).await?;
        client.write_all(&message).await?;
        let is = |what: u32| message.get(5..9) == Some(&what.to_be_bytes());
        match kind {
            READY => return Ok(session),
            AUTHENTICATION if !UNANSWERED.into_iter().any(is) => {
                let (_, answer) = typed(client).await?;
                session.write_all(&answer).await?;
            }
            _ => {}
        }
    }
}

/// A startup message: length, version, then names and values, each ended by a zero, and a zero.
fn without_options(begin: &[u8]) -> Vec<u8> {
    let mut texts = begin[8..].split(|byte| *byte == 0);
    let mut kept = begin[4..8].to_vec();
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        if !name.is_empty() && name != b"options" {
            for text in [name, value] {
                kept.extend_from_slice(text);
                kept.push(0);
            }
        }
    }
    kept.push(0);
    let length = u32::try_from(kept.len() + 4).unwrap();
    [length.to_be_bytes().as_slice(), &kept].concat()
}

/// A message with its type, whole.
async fn typed(from: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let kind = from.read_u8().await?;
    Ok((kind, [vec![kind], untyped(from).await?].concat()))
}

/// The length, which counts itself, and as much.
async fn untyped(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let rest = usize::try_from(length).unwrap() - 4;
    let mut message = length.to_be_bytes().to_vec();
    message.resize(4 + rest, 0);
    from.read_exact(&mut message[4..]).await?;
    Ok(message)
}
