//! A program of the product, started as an operator would start it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::wait;

/// A program that has not said where it listens by then will not.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How much of a log an error shows.
const TAIL_LINES: usize = 12;

/// A running program with its log. Dropped, it is killed; killed with us if we are.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// The folder with the product's programs: that of our own.
///
/// # Errors
/// The program is not there.
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    // A test lies one folder deeper, in `deps`.
    let folders = own.ancestors().skip(1).take(2);
    let found = folders
        .map(|folder| folder.join(name))
        .find(|path| path.exists());
    found.with_context(|| format!("{name} is not built; `make demo` and `make test` build it"))
}

impl Process {
    /// Starts a program; what it says goes to `log`, after what is there.
    ///
    /// # Errors
    /// The program or the log can't be opened.
    pub fn start(
        name: &str,
        executable: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
        log: &Path,
    ) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(executable)
            .args(arguments)
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for a JSON log line that `find` takes.
    ///
    /// # Errors
    /// The program ends, or does not say so in time.
    pub async fn logged<T>(&mut self, what: &str, find: impl Fn(&Value) -> Option<T>) -> Result<T> {
        let log = self.log.clone();
        let (child, name) = (&mut self.child, &self.name);
        wait::until(what, START_LIMIT, || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let lines = text
                .lines()
                .rev()
                .filter_map(|line| serde_json::from_str(line).ok());
            let found = lines.map(|line: Value| find(&line)).find_map(|found| found);
            let ended = child.try_wait().ok().flatten();
            async move {
                match (found, ended) {
                    (Some(found), _) => Ok(Some(found)),
                    (None, Some(status)) => bail!("{name} ended ({status}):\n{}", tail(&text)),
                    (None, None) => Ok(None),
                }
            }
        })
        .await
    }

    /// `SIGKILL`, and waits until it is gone.
    ///
    /// # Errors
    /// It was gone already.
    pub async fn kill(mut self) -> Result<()> {
        self.child
            .kill()
            .await
            .with_context(|| format!("killing {}", self.name))
    }

    /// `SIGTERM`, and waits until it has ended by itself.
    ///
    /// # Errors
    /// It does not end in time, or not with success.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok())
            && let Some(id) = rustix::process::Pid::from_raw(id)
        {
            rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        }
        let ended = tokio::time::timeout(START_LIMIT, self.child.wait()).await;
        let status = ended.with_context(|| format!("{} does not stop", self.name))??;
        if status.success() {
            Ok(())
        } else {
            bail!("{} stopped with {status}", self.name)
        }
    }
}

/// Runs a program to its end.
///
/// # Errors
/// It can't be started, or fails: the error has what it said.
pub async fn run(
    executable: &Path,
    arguments: &[&str],
    environment: &[(String, String)],
) -> Result<String> {
    let output = output(executable, arguments, environment).await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let error = String::from_utf8_lossy(&output.stderr);
    bail!(
        "{} {}: {said}{error}",
        executable.display(),
        arguments.join(" ")
    )
}

/// Runs a program to its end, whatever that is.
///
/// # Errors
/// It can't be started.
pub async fn output(
    executable: &Path,
    arguments: &[&str],
    environment: &[(String, String)],
) -> Result<Output> {
    Command::new(executable)
        .args(arguments)
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("starting {}", executable.display()))
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Its exit code; none if it was killed.
    pub code: Option<i32>,
    /// What it said, errors last.
    pub said: String,
}

/// Runs a program that is expected to end by itself, soon.
///
/// # Errors
/// It can't be started, or goes on.
pub async fn ending(
    executable: &Path,
    arguments: &[&str],
    environment: &[(String, String)],
) -> Result<Ending> {
    // What an operator sees who has asked for no traces.
    let quiet = ("RUST_BACKTRACE".to_owned(), "0".to_owned());
    let environment = [environment, &[quiet]].concat();
    let ending = output(executable, arguments, &environment);
    let ended = tokio::time::timeout(START_LIMIT, ending).await;
    let output = ended.with_context(|| format!("{} goes on", executable.display()))??;
    let said = [output.stdout, output.stderr].concat();
    Ok(Ending {
        code: output.status.code(),
        said: String::from_utf8_lossy(&said).into_owned(),
    })
}

/// How many lines of a log say something.
///
/// # Errors
/// The log can't be read.
pub fn logged(log: &Path, what: &str) -> Result<usize> {
    let text = std::fs::read_to_string(log)?;
    Ok(text.lines().filter(|line| line.contains(what)).count())
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
