//! Servers end with their owner, even after SIGKILL, and two stacks do not disturb each other.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{interval, timeout};

/// Two stacks start at once, and the machine may be busy.
const START_LIMIT: Duration = Duration::from_secs(150);
const END_LIMIT: Duration = Duration::from_secs(30);
/// PostgreSQL, RabbitMQ, its port mapper, the OIDC provider, the Stripe-compatible server, the mail sink.
const SERVERS: usize = 6;

/// Prints the path of its stack's description, exits with 7 on SIGTERM, else waits.
const COMMAND: &str = r#"trap 'exit 7' TERM; echo "$EVENTIFY_STACK"; while read -r _; do :; done"#;

struct Owner {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Owner {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_eventify-stack"))
            .args(["run", "--", "sh", "-c", COMMAND])
            .env_remove("EVENTIFY_STACK")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, output }
    }

    /// The stack's folder, once its servers are ready.
    async fn scratch(&mut self) -> PathBuf {
        let line = timeout(START_LIMIT, self.output.next_line())
            .await
            .expect("no stack");
        let description = PathBuf::from(line.unwrap().expect("the stack did not start"));
        description.parent().unwrap().to_owned()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

/// The processes that write into a stack's folder: each server's output is a log there.
fn servers_in(scratch: &Path) -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let writes_there = |process: &PathBuf| {
        let output = std::fs::read_link(process.join("fd/1"));
        output.is_ok_and(|output| output.starts_with(scratch))
    };
    processes.filter(writes_there).collect()
}

async fn removed(scratch: &Path) {
    let mut look = interval(Duration::from_millis(50));
    let all_gone = async {
        while scratch.exists() || !servers_in(scratch).is_empty() {
            look.tick().await;
        }
    };
    let left = || {
        format!(
            "{} exists with {:?}",
            scratch.display(),
            servers_in(scratch)
        )
    };
    timeout(END_LIMIT, all_gone)
        .await
        .unwrap_or_else(|_| panic!("{}", left()));
}

#[tokio::test]
async fn servers_end_with_their_owner_by_sigkill_and_by_sigterm_and_never_with_another() {
    let (mut killed, mut asked) = (Owner::start(), Owner::start());
    let (first, second) = tokio::join!(killed.scratch(), asked.scratch());
    assert!(
        servers_in(&first).len() >= SERVERS,
        "{:?}",
        servers_in(&first)
    );
    assert!(
        servers_in(&second).len() >= SERVERS,
        "{:?}",
        servers_in(&second)
    );
    let others_before = servers_in(&second);

    killed.signal(Signal::KILL);
    removed(&first).await;
    assert_eq!(
        servers_in(&second),
        others_before,
        "a stack ended another's servers"
    );

    // `wait` closes the input, and the command would end when its input ends.
    let input = asked.process.stdin.take();
    asked.signal(Signal::TERM);
    let status = timeout(END_LIMIT, asked.process.wait())
        .await
        .expect("it did not end")
        .unwrap();
    drop(input);
    assert_eq!(status.code(), Some(7), "the command's own exit code");
    assert!(
        !second.exists(),
        "the folder is removed before the owner ends"
    );
    assert_eq!(servers_in(&second), [] as [PathBuf; 0]);
}
