//! The control socket: how tools on the same machine reach the running node.
//!
//! A Unix socket in the data directory, which only the owner of that folder (and root) can reach. A
//! connection is one line of JSON in each direction: [`Request`], [`Response`].

use std::{
    future::poll_fn,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use eventify_protocol::{
    ids::{GateId, ScannerId},
    lan::{NodeStatus, VenueCounts},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::lan::{CODE_LIFE, Edit, Lan, ListedScanner, ScannerError};

const FILE: &str = "control.sock";
/// Room for as many scanners as there may be, with the longest names and all their gates.
const MAX_LINE_BYTES: u64 = 4 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection: out of files, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// From a tool to the node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "camelCase")]
pub enum Request {
    /// For the state of the node.
    Status,
    /// For how many guests are inside.
    Counts,
    /// For a pairing code for one scanner.
    Pair {
        /// Names or ids of the gates that it may scan for; none means all gates of the node.
        gates: Option<Vec<String>>,
    },
    /// For whether staff can sign in with the identity provider.
    SignIns,
    /// For the paired scanners.
    Scanners,
    /// To call a scanner by another name.
    RenameScanner {
        /// Which one.
        scanner: ScannerId,
        /// 1 to 64 characters.
        label: String,
    },
    /// To choose the gates of a scanner.
    ScannerGates {
        /// Which one.
        scanner: ScannerId,
        /// Names or ids; none means all gates of the node.
        gates: Option<Vec<String>>,
    },
    /// To end a pairing.
    UnpairScanner {
        /// Which one.
        scanner: ScannerId,
    },
}

/// From the node to a tool.
#[derive(Clone, Serialize, Deserialize)]
#[serde(
    tag = "answer",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Response {
    /// To [`Request::Status`].
    Status {
        /// The status, as on the LAN.
        status: Box<NodeStatus>,
    },
    /// To [`Request::Counts`].
    Counts {
        /// As on the LAN.
        counts: Box<VenueCounts>,
    },
    /// To [`Request::SignIns`].
    SignIns {
        /// The newest that the core has answered since the node's start.
        last: Option<TriedSignIn>,
    },
    /// To [`Request::Pair`].
    PairingCode {
        /// The whole code, for the screen.
        code: String,
        /// How long it can be used.
        expires_in_seconds: u64,
    },
    /// To the requests about scanners: all of them, afterwards.
    Scanners {
        /// In the order of their pairings.
        scanners: Vec<ListedScanner>,
    },
    /// The request failed.
    Failed {
        /// For people.
        message: String,
    },
}

/// Without the pairing code: whoever has it can pair.
impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status { status } => write!(f, "Status({status:?})"),
            Self::Counts { counts } => write!(f, "Counts({counts:?})"),
            Self::SignIns { last } => write!(f, "SignIns({last:?})"),
            Self::PairingCode { .. } => f.write_str("PairingCode"),
            Self::Scanners { scanners } => write!(f, "Scanners({scanners:?})"),
            Self::Failed { message } => write!(f, "Failed({message:?})"),
        }
    }
}

/// A sign-in with the identity provider that somebody has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TriedSignIn {
    /// Whether the provider took it.
    pub worked: bool,
    /// How long ago.
    pub ago_seconds: u64,
}

/// The socket's path.
#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// Sends a request to the running node.
///
/// # Errors
/// `NotFound` or `ConnectionRefused` if no node runs on this data directory.
pub async fn send(data_dir: &Path, request: &Request) -> io::Result<Response> {
    let exchange = async {
        let stream = UnixStream::connect(path(data_dir)).await?;
        let (reading, mut writing) = stream.into_split();
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        writing.write_all(&line).await?;
        let mut response = String::new();
        BufReader::new(reading.take(MAX_LINE_BYTES))
            .read_line(&mut response)
            .await?;
        Ok(serde_json::from_str(&response)?)
    };
    timeout(TIMEOUT, exchange).await.map_err(io::Error::other)?
}

/// No node runs on the data directory.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

/// Opens the socket; the future serves it until `stop`.
pub(crate) fn listen(
    data_dir: &Path,
    lan: Arc<Lan>,
    stop: CancellationToken,
) -> io::Result<impl Future<Output = ()> + Send + use<>> {
    let path = path(data_dir);
    // This process has the instance lock, so this socket is left from an earlier one.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    Ok(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                (stream, _) = accept(|cx| listener.poll_accept(cx)) => {
                    // One at a time is enough for tools.
                    if let Ok(Err(error)) = timeout(TIMEOUT, serve(stream, &lan)).await {
                        tracing::debug!(%error, "a connection to the control socket broke");
                    }
                }
            }
        }
        // If this fails, the next start removes it.
        drop(std::fs::remove_file(&path));
    })
}

/// The next connection. One that the system can't give, for want of files, is waiting still: without
/// a pause the node would ask for it all the time, and use a whole processor.
async fn accept<T>(mut next: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>) -> T {
    loop {
        match poll_fn(&mut next).await {
            Ok(accepted) => return accepted,
            Err(error) => tracing::debug!(%error, "the control socket accepted no connection"),
        }
        sleep(ACCEPT_PAUSE).await;
    }
}

async fn serve(stream: UnixStream, lan: &Lan) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reading.take(MAX_LINE_BYTES))
        .read_line(&mut line)
        .await?;
    let response = match serde_json::from_str(&line) {
        Ok(request) => respond(lan, request).await,
        Err(error) => Response::Failed {
            message: format!("malformed request: {error}"),
        },
    };
    let mut line = serde_json::to_vec(&response)?;
    line.push(b'\n');
    writing.write_all(&line).await
}

async fn respond(lan: &Lan, request: Request) -> Response {
    match answer(lan, request).await {
        Ok(response) => response,
        Err(message) => Response::Failed { message },
    }
}

async fn answer(lan: &Lan, request: Request) -> Result<Response, String> {
    let text = |error: ScannerError| error.to_string();
    match request {
        Request::Status => {
            let status = lan.status().await.map_err(|error| error.to_string())?;
            return Ok(Response::Status {
                status: Box::new(status),
            });
        }
        Request::Counts => {
            let counts = lan.counts().await?;
            return Ok(Response::Counts {
                counts: Box::new(counts),
            });
        }
        Request::SignIns => {
            return Ok(Response::SignIns {
                last: lan.last_sign_in(),
            });
        }
        Request::Pair { gates } => {
            let gates = find_gates(lan, gates).await?;
            return Ok(Response::PairingCode {
                code: lan.pairing_code(gates).to_string(),
                expires_in_seconds: CODE_LIFE.as_secs(),
            });
        }
        Request::Scanners => {}
        Request::RenameScanner { scanner, label } => {
            let edit = Edit {
                label: Some(label),
                gates: None,
            };
            lan.edit_scanner(scanner, edit).map_err(text)?;
        }
        Request::ScannerGates { scanner, gates } => {
            let edit = Edit {
                label: None,
                gates: Some(find_gates(lan, gates).await?),
            };
            lan.edit_scanner(scanner, edit).map_err(text)?;
        }
        Request::UnpairScanner { scanner } => lan.unpair(scanner).map_err(text)?,
    }
    Ok(Response::Scanners {
        scanners: lan.list_scanners(),
    })
}

/// None stays none, which means all gates.
async fn find_gates(lan: &Lan, wanted: Option<Vec<String>>) -> Result<Option<Vec<GateId>>, String> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let found = lan.find_gates(&wanted).await;
    let found = found.map_err(|error| error.to_string())?;
    found.map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn a_system_without_free_files_is_not_asked_all_the_time() {
        let mut asked = 0;
        let mut accepted = pin!(accept(|_| -> Poll<io::Result<()>> {
            asked += 1;
            assert!(asked < 2, "it is asked again without a pause");
            Poll::Ready(Err(io::Error::other("too many open files")))
        }));
        let first = poll_fn(|cx| Poll::Ready(accepted.as_mut().poll(cx)));
        assert_eq!(first.await, Poll::Pending);
    }

    #[test]
    fn no_code_of_a_pairing_is_printed() {
        let response = Response::PairingCode {
            code: "EVP1:SECRET".to_owned(),
            expires_in_seconds: 300,
        };
        assert_eq!(format!("{response:?}"), "PairingCode");
    }
}
