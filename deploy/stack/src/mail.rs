//! A mail sink: an SMTP server that accepts every mail and forwards none.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::error::{During, Result};
use crate::ports;
use crate::process::{Program, Server, StopSignal};
use crate::scratch::Scratch;
use crate::tools;

const READY_LIMIT: Duration = Duration::from_secs(60);
const HOST: &str = "127.0.0.1";

/// How to reach the run's mail sink. All tests share it, so each uses its own mail addresses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mail {
    port: u16,
    file: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReceivedMail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Headers and body, as sent.
    pub data: String,
}

impl Mail {
    /// `host:port` of plain SMTP without login.
    #[must_use]
    pub fn smtp_address(&self) -> String {
        format!("{HOST}:{}", self.port)
    }

    /// All mails to `recipient` so far, oldest first; includes every mail that the server has accepted.
    pub fn received_by(&self, recipient: &str) -> Result<Vec<ReceivedMail>> {
        let text = std::fs::read_to_string(&self.file)
            .during(|| format!("reading {}", self.file.display()))?;
        let mut mails = Vec::new();
        // A last line without its end is a mail that is still being written.
        for line in text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            let mail: ReceivedMail = serde_json::from_str(line)?;
            if mail.to.iter().any(|to| to == recipient) {
                mails.push(mail);
            }
        }
        Ok(mails)
    }
}

pub(crate) async fn start(scratch: &Scratch) -> Result<(Mail, Server)> {
    let file = scratch.private_file("mails.jsonl", "")?;
    let mail = Mail {
        port: ports::free()?,
        file,
    };
    let script = tools::home().join("mail/sink.py");
    let mut server = Server::start(Program {
        name: "the mail sink",
        executable: &tools::python(),
        arguments: vec![
            script.display().to_string(),
            "--port".into(),
            mail.port.to_string(),
            "--file".into(),
            mail.file.display().to_string(),
        ],
        environment: Vec::new(),
        stop: StopSignal::Kill,
        user: None,
        log: scratch.path().join("mail.log"),
    })?;
    server
        .ready(READY_LIMIT, || async {
            let address = (Ipv4Addr::LOCALHOST, mail.port);
            let mut stream = TcpStream::connect(address)
                .await
                .map_err(|e| e.to_string())?;
            let mut greeting = [0; 4];
            stream
                .read_exact(&mut greeting)
                .await
                .map_err(|e| e.to_string())?;
            (&greeting == b"220 ")
                .then_some(())
                .ok_or_else(|| format!("unexpected greeting {greeting:?}"))
        })
        .await?;
    Ok((mail, server))
}
