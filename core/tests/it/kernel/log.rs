//! The log is for people; the work goes on without it.

use std::fs::OpenOptions;
use std::process::Stdio;

use tokio::net::TcpListener;
use tokio::process::Command;

/// What a disk without space answers to each write.
const FULL: &str = "/dev/full";

#[tokio::test]
async fn a_log_that_can_not_be_written_ends_nothing() {
    let database = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://{}/eventify", database.local_addr().unwrap());
    let full = OpenOptions::new().write(true).open(FULL).unwrap();
    let mut core = Command::new(env!("CARGO_BIN_EXE_eventify-core"))
        .env_clear()
        .env("EVENTIFY_CORE__DATABASE__URL", url)
        .stderr(Stdio::from(full))
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // After the first attempt, a line says that the database doesn't answer.
    for _attempt in 0..3 {
        tokio::select! {
            ended = core.wait() => panic!("it ended: {ended:?}"),
            asked = database.accept() => drop(asked.unwrap()),
        }
    }
}
