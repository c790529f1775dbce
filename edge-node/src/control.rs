//! The control socket: how tools on the same machine talk to the running node.
//!
//! A Unix socket in the data directory, which only the owner of that folder (and root) can reach. A
//! connection is one line of JSON each way: [`Question`], [`Answer`].

use std::{io, path::Path, path::PathBuf, sync::Arc, time::Duration};

use eventify_protocol::{ids::GateId, lan::NodeStatus};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::lan::{CODE_LIFE, Lan};

const FILE: &str = "control.sock";
const MAX_LINE_BYTES: u64 = 64 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a tool wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "camelCase")]
pub enum Question {
    /// How the node is.
    Status,
    /// A pairing code for one scanner.
    Pair {
        /// What it may scan for; all gates of the node if none are named.
        gates: Option<Vec<GateId>>,
    },
}

/// What the node says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    tag = "answer",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Answer {
    /// To [`Question::Status`].
    Status {
        /// The status, as on the LAN.
        status: Box<NodeStatus>,
    },
    /// To [`Question::Pair`].
    PairingCode {
        /// The whole code, for the screen.
        code: String,
        /// How long it can be used.
        expires_in_seconds: u64,
    },
    /// The node can't say.
    Failed {
        /// Why.
        message: String,
    },
}

/// Where the socket lies.
#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// Asks the running node.
///
/// # Errors
/// `NotFound` or `ConnectionRefused` if no node runs on this data directory.
pub async fn ask(data_dir: &Path, question: &Question) -> io::Result<Answer> {
    let asking = async {
        let stream = UnixStream::connect(path(data_dir)).await?;
        let (reading, mut writing) = stream.into_split();
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        writing.write_all(&line).await?;
        let mut answer = String::new();
        BufReader::new(reading.take(MAX_LINE_BYTES))
            .read_line(&mut answer)
            .await?;
        Ok(serde_json::from_str(&answer)?)
    };
    timeout(TIMEOUT, asking).await.map_err(io::Error::other)?
}

/// Opens the socket; the future serves it until `stop`.
pub(crate) fn listen(
    data_dir: &Path,
    lan: Arc<Lan>,
    stop: CancellationToken,
) -> io::Result<impl Future<Output = ()> + Send + use<>> {
    let path = path(data_dir);
    // The instance lock is ours, so this socket is one that a dead process left.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    Ok(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => {
                    // One at a time: tools of venue IT, not load.
                    if let Ok((stream, _)) = accepted
                        && let Ok(Err(error)) = timeout(TIMEOUT, serve(stream, &lan)).await
                    {
                        tracing::debug!(code = "control_broken", %error, "a tool hung up");
                    }
                }
            }
        }
        // A socket that can't be removed now is removed at the next start.
        drop(std::fs::remove_file(&path));
    })
}

async fn serve(stream: UnixStream, lan: &Lan) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reading.take(MAX_LINE_BYTES))
        .read_line(&mut line)
        .await?;
    let answer = match serde_json::from_str(&line) {
        Ok(question) => answer(lan, question).await,
        Err(error) => Answer::Failed {
            message: format!("not a question: {error}"),
        },
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    writing.write_all(&line).await
}

async fn answer(lan: &Lan, question: Question) -> Answer {
    match question {
        Question::Status => match lan.status().await {
            Ok(status) => Answer::Status {
                status: Box::new(status),
            },
            Err(error) => Answer::Failed {
                message: error.to_string(),
            },
        },
        Question::Pair { gates } => Answer::PairingCode {
            code: lan.pairing_code(gates).to_string(),
            expires_in_seconds: CODE_LIFE.as_secs(),
        },
    }
}
