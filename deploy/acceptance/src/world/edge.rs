//! An edge node as a process, with a link to the broker that can fail.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use eventify_protocol::{
    ids::NodeId,
    lan::{NodeStatus, PairingCode},
    verdict::Mode,
};
use eventify_stack::{ClientIdentity, FaultProxy};
use serde_json::Value;

use super::{
    customer::text,
    process::{self, Exit, Process},
};
use crate::{clock, scanner::Scanner, wait};

/// Longest pause before a node connects again: shorter than the default, since tests wait for it.
const MAX_BACKOFF_MS: u64 = 500;
/// Of one scanner, a second and at once: the world's scanners are faster than people.
const MAX_REQUESTS: u32 = 10_000;

/// An enrolled node.
#[derive(Debug)]
pub struct Edge {
    /// The venue's name for it.
    pub label: String,
    /// Its link to the broker.
    pub link: FaultProxy,
    code: String,
    folder: PathBuf,
    config: PathBuf,
    executable: PathBuf,
    process: Option<Process>,
    settings: Settings,
}

#[derive(Clone, Debug)]
struct Settings {
    /// The system chooses the port at the first start; later starts keep it.
    listen: String,
    broker: String,
    max_cache_age: Duration,
}

impl Edge {
    /// Enrols a new node with a code, and starts it.
    ///
    /// # Errors
    /// It can't be enrolled or does not start.
    pub async fn enrol(
        label: &str,
        code: &str,
        folder: &Path,
        broker: SocketAddr,
        max_cache_age: Duration,
    ) -> Result<Self> {
        let mut edge = Self::enrolled(label, code, folder, broker, max_cache_age).await?;
        edge.start().await?;
        Ok(edge)
    }

    /// Enrols a new node and does not start it.
    ///
    /// # Errors
    /// It can't be enrolled.
    pub async fn enrolled(
        label: &str,
        code: &str,
        folder: &Path,
        broker: SocketAddr,
        max_cache_age: Duration,
    ) -> Result<Self> {
        let link = FaultProxy::start(broker).await?;
        let settings = Settings {
            listen: "127.0.0.1:0".to_owned(),
            broker: link.address().to_string(),
            max_cache_age,
        };
        let folder = folder.join(label);
        std::fs::create_dir_all(&folder)?;
        let edge = Self {
            label: label.to_owned(),
            link,
            code: code.to_owned(),
            config: folder.join("edge.toml"),
            folder,
            executable: process::program("eventify-edge")?,
            process: None,
            settings,
        };
        edge.write_config()?;
        edge.command(&["enrol", code]).await?;
        Ok(edge)
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&mut self) -> Result<()> {
        self.spawn()?;
        wait::until("the node to answer", wait::START, || async {
            Ok(self.status().await.ok())
        })
        .await?;
        Ok(())
    }

    /// Starts it without waiting.
    ///
    /// # Errors
    /// The program can't be started.
    pub fn spawn(&mut self) -> Result<()> {
        let config = self.config.to_str().context("the path is not text")?;
        let log = self.log();
        let arguments = ["--config", config, "run"];
        let process = Process::start(&self.label, &self.executable, &arguments, &[], &log)?;
        self.process = Some(process);
        Ok(())
    }

    /// Sends `SIGKILL`, like a power failure.
    ///
    /// # Errors
    /// It is not running.
    pub async fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.kill().await,
            None => bail!("{} is not running", self.label),
        }
    }

    /// `eventify-edge pair`: a code for one scanner.
    ///
    /// # Errors
    /// The node gives none.
    pub async fn pairing_code(&self) -> Result<String> {
        let output = self.command(&["pair"]).await?;
        let code = output
            .split_whitespace()
            .find(|word| word.starts_with("evp1."));
        Ok(code
            .with_context(|| format!("no pairing code in: {output}"))?
            .to_owned())
    }

    /// Pairs a scanner; the node keeps its port from now on.
    ///
    /// # Errors
    /// The node does not give a code, or refuses the scanner.
    pub async fn pair(&mut self, scanner: &str, seed: [u8; 32]) -> Result<Scanner> {
        let code = self.pairing_code().await?;
        let parsed: PairingCode = code.parse()?;
        parsed
            .node
            .trim_start_matches("https://")
            .clone_into(&mut self.settings.listen);
        self.write_config()?;
        Scanner::pair(&code, scanner, seed).await
    }

    /// `eventify-edge scanners`: the ids of all paired scanners, by the names that staff know.
    ///
    /// # Errors
    /// The node does not answer.
    pub async fn scanners(&self) -> Result<Vec<(String, String)>> {
        let output = self.command(&["scanners", "--json"]).await?;
        let listed: Value = serde_json::from_str(&output)?;
        let listed = listed["scanners"].as_array().context("a list")?;
        let of = |scanner: &Value| Ok((text(scanner, "label")?, text(scanner, "scannerId")?));
        listed.iter().map(of).collect()
    }

    /// `eventify-edge scanners unpair`.
    ///
    /// # Errors
    /// It does not know the scanner.
    pub async fn unpair(&self, scanner_id: &str) -> Result<()> {
        self.command(&["scanners", "unpair", scanner_id]).await?;
        Ok(())
    }

    /// The code that it enrolled with.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Number of lines of its log with this text.
    ///
    /// # Errors
    /// The log can't be read.
    pub fn count_in_log(&self, what: &str) -> Result<usize> {
        process::count_in_log(&self.log(), what)
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("edge.log")
    }

    /// Its settings file.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Its certificate and key, from its data folder; with them a client is this node to the broker.
    ///
    /// # Errors
    /// It is not enrolled.
    pub fn identity(&self) -> Result<ClientIdentity> {
        let path = self.folder.join("data/identity.json");
        let identity: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        Ok(ClientIdentity {
            certificate: text(&identity, "certificateChain")?,
            key: text(&identity, "privateKey")?,
        })
    }

    /// `eventify-edge status --json`.
    ///
    /// # Errors
    /// The node does not run.
    pub async fn status(&self) -> Result<NodeStatus> {
        let output = self.command(&["status", "--json"]).await?;
        serde_json::from_str(&output).with_context(|| format!("status: {output}"))
    }

    /// Its id.
    ///
    /// # Errors
    /// The node does not run.
    pub async fn id(&self) -> Result<NodeId> {
        Ok(self.status().await?.node_id)
    }

    /// Waits until it is online and has all that was committed before now.
    ///
    /// # Errors
    /// It does not get that far.
    pub async fn catch_up(&self, limit: Duration) -> Result<NodeStatus> {
        // A cache that is younger than this has it.
        let known = clock::now();
        let has_it = |status: &NodeStatus| {
            let age = status.cache_age_ms.and_then(|age| i64::try_from(age).ok());
            let since = (clock::now() - known).num_milliseconds();
            status.mode == Mode::Online && age.is_some_and(|age| age < since)
        };
        let what = format!("{} to have what is committed", self.label);
        self.wait_until(&what, limit, has_it).await
    }

    /// Waits for a mode.
    ///
    /// # Errors
    /// It does not come in time.
    pub async fn wait_for_mode(&self, mode: Mode, limit: Duration) -> Result<NodeStatus> {
        let what = format!("{} to be {mode:?}", self.label);
        self.wait_until(&what, limit, |status| status.mode == mode)
            .await
    }

    /// Waits for a condition on its status.
    ///
    /// # Errors
    /// It does not come in time.
    pub async fn wait_until(
        &self,
        what: &str,
        limit: Duration,
        is: impl Fn(&NodeStatus) -> bool,
    ) -> Result<NodeStatus> {
        wait::until(what, limit, || async {
            let status = self.status().await?;
            Ok(is(&status).then_some(status))
        })
        .await
    }

    /// `eventify-edge export-journal`.
    ///
    /// # Errors
    /// The chain is broken.
    pub async fn export_journal(&self, to: &Path) -> Result<()> {
        let to = to.to_str().context("the path is not text")?;
        self.command(&["export-journal", "--out", to])
            .await
            .map(|_| ())
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().and_then(Process::id)
    }

    async fn command(&self, arguments: &[&str]) -> Result<String> {
        let config = self.config.to_str().context("the path is not text")?;
        let arguments = [&["--config", config], arguments].concat();
        process::run(&self.executable, &arguments, &[]).await
    }

    fn write_config(&self) -> Result<()> {
        let Settings {
            listen,
            broker,
            max_cache_age,
        } = &self.settings;
        let text = format!(
            "[node]\ndata_dir = {data:?}\n\n[lan]\nlisten = {listen:?}\n\
             requests_per_second = {MAX_REQUESTS}\nrequest_burst = {MAX_REQUESTS}\n\n\
             [admission]\nmax_cache_age_ms = {age}\n\n[link]\nbroker = {broker:?}\n\
             max_backoff_ms = {MAX_BACKOFF_MS}\n\n[log]\nformat = \"json\"\n",
            data = self.folder.join("data").display().to_string(),
            age = max_cache_age.as_millis(),
        );
        std::fs::write(&self.config, text).context("writing the node's settings")
    }
}

/// Runs `eventify-edge enrol` with a data folder that is then removed.
///
/// # Errors
/// It can't be started.
pub async fn try_to_enrol(folder: &Path, code: &str) -> Result<Exit> {
    let machine = tempfile::tempdir_in(folder)?;
    let data = machine.path().join("data").display().to_string();
    let settings = [("EVENTIFY_EDGE__NODE__DATA_DIR".to_owned(), data)];
    process::run_to_exit(
        &process::program("eventify-edge")?,
        &["enrol", code],
        &settings,
    )
    .await
}
