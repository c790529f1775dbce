//! A running node as a process of its own.

use std::{path::Path, process::Stdio};

use eventify_edge::control;
use eventify_protocol::lan::PairingCode;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

use super::{SOON, Scanner, variables};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_eventify-edge");

pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) url: String,
    log: watch::Receiver<Vec<Value>>,
    reader: JoinHandle<()>,
}

impl Process {
    pub(crate) async fn start(data_dir: &Path) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("run").env_clear();
        Self::start_by(command, data_dir).await
    }

    /// Starts a node by a command that sets up more than the program itself, and waits until the
    /// LAN API answers.
    pub(crate) async fn start_by(mut command: Command, data_dir: &Path) -> Self {
        let mut child = command
            .envs(variables(data_dir, &[("log.format", "json")]))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = Vec::new();
        let url = loop {
            let line = lines.next_line().await.unwrap();
            let line = line.expect("the node logs the address of its LAN API");
            let line: Value = serde_json::from_str(&line).unwrap();
            let address = line["address"].as_str().map(str::to_owned);
            log.push(line);
            if let Some(address) = address {
                break format!("https://{address}");
            }
        };
        // The node must not wait for a reader of its log.
        let (logged, log) = watch::channel(log);
        let reader = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                logged.send_modify(|log| log.extend(serde_json::from_str::<Value>(&line)));
            }
        });
        Self {
            child,
            url,
            log,
            reader,
        }
    }

    /// Waits until it has logged something with this code: a node writes its log beside its work.
    pub(crate) async fn until_logged(&mut self, code: &str) {
        let has_it = |log: &Vec<Value>| log.iter().any(|line| line["code"] == code);
        let logged = timeout(SOON, self.log.wait_for(has_it)).await;
        logged.expect("it is logged").unwrap();
    }

    /// Ends it; returns what it has logged since its start.
    pub(crate) async fn kill(mut self) -> Vec<Value> {
        self.child.kill().await.unwrap();
        self.reader.await.unwrap();
        self.log.borrow().clone()
    }
}

/// Pairs a scanner with the node that runs on a data directory.
pub(crate) async fn pair(data_dir: &Path) -> Scanner {
    let request = control::Request::Pair { gates: None };
    let response = control::send(data_dir, &request).await.unwrap();
    let control::Response::PairingCode { code, .. } = response else {
        panic!("{response:?}")
    };
    let code: PairingCode = code.parse().unwrap();
    Scanner::pair(&code, 1).await.unwrap()
}
