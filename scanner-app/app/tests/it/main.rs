//! The program as whoever starts it at a gate sees it: what it says when it can't start, and that it comes
//! back by itself. What the window shows is in `deploy/acceptance/tests/it/window`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use eventify_stack::Display;
use rustix::process::{Pid, Signal, kill_process};

const SCANNER: &str = env!("CARGO_BIN_EXE_eventify-scanner");
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
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

/// A running app with its log; killed at the end of the test.
struct Running {
    child: Child,
    log: PathBuf,
    _display: Display,
}

impl Running {
    async fn start(folder: &Path) -> Self {
        let display = Display::start(GLASS).await.unwrap();
        let log = folder.join("log");
        let child = scanner(&folder.join("data"))
            .env("DISPLAY", display.name())
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self {
            child,
            log,
            _display: display,
        }
    }

    /// The process that draws its page.
    fn page(&self) -> Option<Pid> {
        children(self.child.id())
            .into_iter()
            .find(|child| name_of(*child).starts_with("WebKitWebProces"))
            .and_then(|child| Pid::from_raw(i32::try_from(child).unwrap()))
    }

    async fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(found) = look() {
                    return found;
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        match waited.await {
            Ok(found) => found,
            Err(_) => panic!("{what}: {}", fs::read_to_string(&self.log).unwrap()),
        }
    }

    async fn logged(&self, code: &str, times: usize) {
        let is_there = || {
            let log = fs::read_to_string(&self.log).unwrap();
            (log.matches(code).count() >= times).then_some(())
        };
        self.until(code, is_there).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
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
    let first = Running::start(folder.path()).await;
    first.logged("scanner.started", 1).await;
    let (code, text) = refusal(&scanner(&folder.path().join("data")).output().unwrap());
    assert_eq!(code, Some(75));
    assert!(text.contains("another scanner app works with"), "{text}");
}

#[tokio::test]
async fn a_page_that_has_died_is_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    let app = Running::start(folder.path()).await;
    app.logged("scanner.page_loaded", 1).await;
    let page = app.until("a page", || app.page()).await;
    kill_process(page, Signal::KILL).unwrap();
    app.logged("scanner.page_ended", 1).await;
    app.logged("scanner.page_loaded", 2).await;
    assert_ne!(app.page(), Some(page));
}
