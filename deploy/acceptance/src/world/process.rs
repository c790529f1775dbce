//! A program of the product, started as an operator starts it.

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

/// The longest time for a start or a stop.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Lines of a log that an error shows.
const TAIL_LINES: usize = 12;

/// A running program with its log. It is killed when dropped, or when we are killed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// The path of a program of the product, which is in the folder of our own program.
///
/// # Errors
/// The program is not there.
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    // A test is one folder deeper, in `deps`.
    let folders = own.ancestors().skip(1).take(2);
    let found = folders
        .map(|folder| folder.join(name))
        .find(|path| path.exists());
    found.with_context(|| format!("{name} is not built; `make demo` and `make test` build it"))
}

impl Process {
    /// Starts a program that appends its output to `log`.
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

    /// Waits for a JSON log line in which `find` finds something.
    ///
    /// # Errors
    /// The program ends, or writes no such line in time.
    pub async fn wait_for_log<T>(
        &mut self,
        what: &str,
        find: impl Fn(&Value) -> Option<T>,
    ) -> Result<T> {
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

    /// Sends `SIGKILL` and waits for its end.
    ///
    /// # Errors
    /// It has ended already.
    pub async fn kill(mut self) -> Result<()> {
        self.child
            .kill()
            .await
            .with_context(|| format!("killing {}", self.name))
    }

    /// Sends `SIGTERM` and waits for its end.
    ///
    /// # Errors
    /// It does not end in time, or with an error.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok())
            && let Some(id) = rustix::process::Pid::from_raw(id)
        {
            rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        }
        let ended = tokio::time::timeout(START_LIMIT, self.child.wait()).await;
        let status = ended.with_context(|| format!("{} did not stop in time", self.name))??;
        if status.success() {
            Ok(())
        } else {
            bail!("{} stopped with {status}", self.name)
        }
    }
}

/// Runs a program and returns its output.
///
/// # Errors
/// It can't be started, or fails: the error has its output.
pub async fn run(
    executable: &Path,
    arguments: &[&str],
    environment: &[(String, String)],
) -> Result<String> {
    let output = output(executable, arguments, environment).await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let error = String::from_utf8_lossy(&output.stderr);
    bail!(
        "{} {}: {text}{error}",
        executable.display(),
        arguments.join(" ")
    )
}

/// Runs a program, whether it fails or not.
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
pub struct Exit {
    /// Its exit code; `None` if it was killed.
    pub code: Option<i32>,
    /// Standard output, then standard error.
    pub output: String,
}

/// Runs a program that should end soon.
///
/// # Errors
/// It can't be started, or does not end in time.
pub async fn run_to_exit(
    executable: &Path,
    arguments: &[&str],
    environment: &[(String, String)],
) -> Result<Exit> {
    // As an operator runs it.
    let no_backtrace = ("RUST_BACKTRACE".to_owned(), "0".to_owned());
    let environment = [environment, &[no_backtrace]].concat();
    let running = output(executable, arguments, &environment);
    let ended = tokio::time::timeout(START_LIMIT, running).await;
    let output = ended.with_context(|| format!("{} did not end", executable.display()))??;
    let text = [output.stdout, output.stderr].concat();
    Ok(Exit {
        code: output.status.code(),
        output: String::from_utf8_lossy(&text).into_owned(),
    })
}

/// Number of lines of a log with this text.
///
/// # Errors
/// The log can't be read.
pub fn count_in_log(log: &Path, what: &str) -> Result<usize> {
    let text = std::fs::read_to_string(log)?;
    Ok(text.lines().filter(|line| line.contains(what)).count())
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
