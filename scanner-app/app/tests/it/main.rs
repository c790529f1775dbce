//! The program as whoever starts it at a gate sees it: what it says when it can't start, and that it comes
//! back by itself. What the window shows is in `deploy/acceptance/tests/it/window`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use eventify_stack::Display;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr},
};

const SCANNER: &str = env!("CARGO_BIN_EXE_eventify-scanner");
/// Fails a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(60);
const GLASS: (u16, u16) = (540, 960);

fn scanner(data: &Path) -> Command {
    let mut command = Command::new(SCANNER);
    command
        .arg("--data")
        .arg(data)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null());
    command
}

/// Its exit code, and the line that it has written.
fn refusal(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours = text
        .lines()
        .filter(|line| line.starts_with("eventify-scanner: "));
    assert_eq!(ours.count(), 1, "{text}");
    (output.status.code(), text)
}

#[test]
fn without_a_display_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = scanner(&folder.path().join("data")).output().unwrap();
    let (code, text) = refusal(&output);
    assert_eq!(code, Some(69));
    assert!(text.contains("there is no display"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn a_data_folder_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (code, text) = refusal(&scanner(&file.join("data")).output().unwrap());
    assert_eq!(code, Some(73));
    assert!(text.contains(file.to_str().unwrap()), "{text}");
}

/// A running app and what it writes; killed at the end of the test.
struct Running {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    _display: Display,
}

impl Running {
    async fn start(folder: &Path) -> Self {
        let display = Display::start(GLASS).await.unwrap();
        let mut command = tokio::process::Command::from(scanner(&folder.join("data")));
        command
            .env("DISPLAY", display.name())
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self {
            child,
            log,
            _display: display,
        }
    }

    /// The process that draws its page.
    fn page(&self) -> Option<Pid> {
        children(self.child.id()?)
            .into_iter()
            .find(|child| name_of(*child).starts_with("WebKitWebProces"))
            .and_then(|child| Pid::from_raw(i32::try_from(child).unwrap()))
    }

    /// Reads on to the next line with this code.
    async fn logs(&mut self, code: &str) {
        let mut seen = String::new();
        let reading = async {
            while let Some(line) = self.log.next_line().await.unwrap() {
                if line.contains(code) {
                    return true;
                }
                seen.push_str(&line);
                seen.push('\n');
            }
            false
        };
        let found = tokio::time::timeout(PATIENCE, reading).await;
        assert_eq!(found, Ok(true), "{code} does not come after: {seen}");
    }
}

fn children(of: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{of}/task"))
        .into_iter()
        .flatten();
    let of_task = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).ok();
    let lists: Vec<_> = tasks.flatten().filter_map(of_task).collect();
    let mut all: Vec<u32> = Vec::new();
    for list in lists {
        for child in list.split_whitespace().filter_map(|id| id.parse().ok()) {
            all.push(child);
            all.extend(children(child));
        }
    }
    all
}

fn name_of(process: u32) -> String {
    fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default()
}

#[tokio::test]
async fn a_second_one_with_the_same_folder_leaves_the_first_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Running::start(folder.path()).await;
    first.logs("scanner.started").await;
    let (code, text) = refusal(&scanner(&folder.path().join("data")).output().unwrap());
    assert_eq!(code, Some(75));
    assert!(text.contains("another scanner app works with"), "{text}");
}

#[tokio::test]
async fn a_page_that_has_died_is_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut app = Running::start(folder.path()).await;
    app.logs("scanner.page_loaded").await;
    let page = app.page().unwrap();
    kill_process(page, Signal::KILL).unwrap();
    app.logs("scanner.page_ended").await;
    app.logs("scanner.page_loaded").await;
    assert_ne!(app.page(), Some(page));
}
