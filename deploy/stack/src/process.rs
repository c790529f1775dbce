//! Child processes that end with their parent.
//!
//! Each server is started through `setpriv --pdeathsig`, so that the kernel ends it when we end, even
//! by a panic or SIGKILL. Linux binds that signal to the *thread* that started the child, so one
//! thread that lives as long as the process starts all of them (a test's thread ends with the test, a
//! runtime's idle threads after ten seconds). Each server leads its own process group: a Ctrl-C at the
//! terminal reaches only the owner, which then stops its servers in order.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::clock;
use crate::error::{During, Result, StackError};

/// Pause between two checks whether a server is ready.
const READY_POLL: Duration = Duration::from_millis(50);
/// A check without an answer after this is tried again.
const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// The end of a failed server's log that the error shows.
const LOG_TAIL_BYTES: usize = 3_000;

/// The signal that ends a program.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StopSignal {
    /// Ends at once: its data is temporary.
    Kill,
    /// PostgreSQL's immediate shutdown, which ends its children too.
    Quit,
    /// Lets the user's command end in order.
    Terminate,
}

impl StopSignal {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Quit => "QUIT",
            Self::Terminate => "TERM",
        }
    }

    fn signal(self) -> Signal {
        match self {
            Self::Kill => Signal::KILL,
            Self::Quit => Signal::QUIT,
            Self::Terminate => Signal::TERM,
        }
    }
}

/// What to start, and how to end it.
pub(crate) struct Program<'a> {
    pub(crate) name: &'static str,
    pub(crate) executable: &'a Path,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) stop: StopSignal,
    /// The system user to run as, for servers that refuse to run as root.
    pub(crate) user: Option<&'static str>,
    pub(crate) log: PathBuf,
}

/// A running server. Dropping it stops it and waits for its end.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    stop: StopSignal,
    log: PathBuf,
}

impl Server {
    pub(crate) fn start(program: Program<'_>) -> Result<Self> {
        let Program {
            name,
            executable,
            arguments,
            environment,
            stop,
            user,
            log,
        } = program;
        let output = File::create(&log).during(|| format!("creating {}", log.display()))?;
        let errors = output
            .try_clone()
            .during(|| format!("opening {}", log.display()))?;
        let mut command = bound_to_parent(executable, stop, user);
        command
            .args(arguments)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
            )
            .env("LANG", "C.UTF-8")
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0);
        let child = spawn(command).during(|| format!("starting {name}"))?;
        Ok(Self {
            name,
            child,
            stop,
            log,
        })
    }

    /// Repeats `probe` until it succeeds, the server ends, or `limit` passes.
    pub(crate) async fn ready<T, F, Fut>(&mut self, limit: Duration, mut probe: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = std::result::Result<T, String>>,
    {
        let started = clock::now();
        loop {
            let last = match tokio::time::timeout(PROBE_LIMIT, probe()).await {
                Ok(Ok(value)) => {
                    tracing::debug!(server = self.name, after = ?started.elapsed(), "The server is ready.");
                    return Ok(value);
                }
                Ok(Err(last)) => last,
                Err(_) => format!("no answer within {} s", PROBE_LIMIT.as_secs()),
            };
            let ended = self
                .child
                .try_wait()
                .during(|| format!("watching {}", self.name))?;
            if let Some(status) = ended {
                return Err(self.ended(status));
            }
            if started.elapsed() > limit {
                return Err(self.not_ready(limit, last));
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// Waits until no program runs that the server has started.
    pub(crate) async fn alone(&self, limit: Duration) -> Result<()> {
        let started = clock::now();
        loop {
            let running = running_children(self.child.id())
                .during(|| format!("looking for what {} has started", self.name))?;
            if running == 0 {
                return Ok(());
            }
            if started.elapsed() > limit {
                let last = format!("{running} of the programs that it has started still run");
                return Err(self.not_ready(limit, last));
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    pub(crate) fn not_ready(&self, limit: Duration, last: String) -> StackError {
        StackError::NotReady {
            server: self.name,
            seconds: limit.as_secs(),
            last,
            log: self.log.clone(),
            tail: tail(&self.log),
        }
    }

    fn ended(&self, status: ExitStatus) -> StackError {
        let (log, tail) = (self.log.clone(), tail(&self.log));
        StackError::Ended {
            server: self.name,
            status,
            log,
            tail,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        signal(Pid::from_child(&self.child), self.stop);
        if let Err(error) = self.child.wait() {
            tracing::warn!(
                code = "stack.server_wait_failed", server = self.name, %error,
                "Cannot wait for the server's end."
            );
        }
    }
}

/// Of the process with this id, whichever of its threads started them. One that has ended but was not waited for
/// has no command line any more.
fn running_children(id: u32) -> io::Result<usize> {
    let mut running = 0;
    for thread in std::fs::read_dir(format!("/proc/{id}/task"))? {
        let children = std::fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
        let runs = |child: &&str| {
            let command = std::fs::read(format!("/proc/{child}/cmdline"));
            command.is_ok_and(|command| !command.is_empty())
        };
        running += children.split_whitespace().filter(runs).count();
    }
    Ok(running)
}

/// Ends a child; does nothing if it has ended already.
pub(crate) fn signal(pid: Pid, stop: StopSignal) {
    if let Err(error) = kill_process(pid, stop.signal()) {
        tracing::debug!(?pid, %error, "The process has ended already.");
    }
}

/// Runs a helper program to its end; the error has its output.
pub(crate) async fn run_to_end(mut command: Command, action: &str) -> Result<()> {
    let label = action.to_owned();
    let finished = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output())
        .await
        .map_err(io::Error::other)
        .and_then(|output| output)
        .during(|| label)?;
    if finished.status.success() {
        return Ok(());
    }
    let mut body = String::from_utf8_lossy(&finished.stdout).into_owned();
    body.push_str(&String::from_utf8_lossy(&finished.stderr));
    let status = u16::try_from(finished.status.code().unwrap_or_default()).unwrap_or_default();
    Err(StackError::Refused {
        action: action.to_owned(),
        status,
        body,
    })
}

/// A command that the kernel ends when the thread that started it ends.
pub(crate) fn bound_to_parent(executable: &Path, stop: StopSignal, user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", stop.name()]);
    if let Some(user) = user {
        command
            .arg("--reuid")
            .arg(user)
            .arg("--regid")
            .arg(user)
            .arg("--init-groups");
    }
    command.arg("--").arg(executable);
    command
}

/// Starts a child from a thread that lives as long as this process.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<SpawnRequest>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<SpawnRequest>();
        std::thread::Builder::new()
            .name("eventify-stack-spawner".to_owned())
            .spawn(move || {
                for SpawnRequest { mut command, reply } in requests {
                    // The asker waits for the answer, so a failed send can't lose a child.
                    let _ = reply.send(command.spawn());
                }
            })
            .expect("a process that can't start a thread can't start servers");
        sender
    });
    let (reply, answer) = mpsc::sync_channel(1);
    spawner
        .send(SpawnRequest { command, reply })
        .map_err(|_| io::Error::other("the thread that starts processes has ended"))?;
    answer.recv().map_err(io::Error::other)?
}

struct SpawnRequest {
    command: Command,
    reply: mpsc::SyncSender<io::Result<Child>>,
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let start = text.len().saturating_sub(LOG_TAIL_BYTES);
    String::from_utf8_lossy(&text[start..]).into_owned()
}
