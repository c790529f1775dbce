//! The program: as a page of the developer's browser has it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufReader, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::timeout;

/// Longest wait for something that has to happen.
const SOON: Duration = Duration::from_secs(30);

struct Program {
    process: Child,
    out: BufReader<ChildStdout>,
    address: String,
    folder: tempfile::TempDir,
}

impl Program {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_eventify-scanner-dev"))
            .args(["--listen", "127.0.0.1:0"])
            .env("TMPDIR", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let line = next_line(&mut out);
        let address = line.strip_prefix("listening on ").unwrap().to_owned();
        Self {
            process,
            out,
            address,
            folder,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/host/{path}", self.address)
    }

    /// As the page does it.
    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.post_from(&format!("http://{}", self.address), path, body)
    }

    fn post_from(&self, origin: &str, path: &str, body: &Value) -> RequestBuilder {
        let request = Client::new().post(self.url(path)).header("origin", origin);
        request.json(body)
    }

    async fn cue(&self, key: &str) -> StatusCode {
        let sent = self.post("cues", &json!({ "key": key })).send().await;
        sent.unwrap().status()
    }

    async fn views(&self) -> Views {
        let sent = Client::new().get(self.url("views")).send().await;
        let response = sent.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Views {
            response,
            text: String::new(),
        }
    }

    /// Reads what it prints until a line says so.
    fn prints(&mut self, wanted: &str) {
        while !next_line(&mut self.out).contains(wanted) {}
    }

    fn end(&mut self) -> Option<i32> {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::INT).unwrap();
        self.process.wait().unwrap().code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn next_line(out: &mut impl std::io::BufRead) -> String {
    let mut line = String::new();
    assert_ne!(out.read_line(&mut line).unwrap(), 0, "it has ended");
    line.trim_end().to_owned()
}

struct Views {
    response: Response,
    text: String,
}

impl Views {
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let looked = timeout(SOON, async {
            loop {
                while let Some((event, rest)) = self.text.split_once("\n\n") {
                    let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                    let view = data.map(|data| serde_json::from_str::<Value>(data).unwrap());
                    self.text = rest.to_owned();
                    if let Some(view) = view.filter(|view| wanted(&view["screen"])) {
                        return view["screen"].clone();
                    }
                }
                let chunk = self.response.chunk().await.unwrap().expect("it goes on");
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        });
        looked.await.expect("in time")
    }

    async fn named(&mut self, name: &str) -> Value {
        self.until(|screen| screen["name"] == name).await
    }
}

fn ring() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

#[tokio::test]
async fn a_scanner_is_paired_and_admits_a_ticket_once() {
    ring();
    let program = Program::start();
    let mut views = program.views().await;
    views.named("pair").await;
    assert_eq!(program.cue("p").await, StatusCode::NO_CONTENT);
    let choose = views.named("choose").await;
    let gate = choose["gates"][0]["gateId"].clone();
    let command = json!({ "name": "choose", "gateId": gate, "performanceId": null });
    let chosen = program.post("commands", &command).send().await.unwrap();
    assert_eq!(chosen.status(), StatusCode::NO_CONTENT);
    views.named("ready").await;
    program.cue("A").await;
    let admitted = views.named("verdict").await;
    assert_eq!(admitted["why"]["verdict"], "admit");
    // The same code within two seconds would be the same scan: another one stands between.
    program.cue("F").await;
    views
        .until(|screen| screen["why"]["verdict"] == "forged")
        .await;
    program.cue("D").await;
    program.cue("A").await;
    let alone = views
        .until(|screen| screen["why"]["verdict"] == "admit")
        .await;
    assert_ne!(alone["scanId"], admitted["scanId"], "another ticket");
    assert_eq!(program.cue("?").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_page_of_a_stranger_drives_nothing_and_sees_nothing() {
    ring();
    let program = Program::start();
    let strange = [
        program.post_from("http://stranger.example", "cues", &json!({ "key": "P" })),
        program
            .post("cues", &json!({ "key": "P" }))
            .header("sec-fetch-site", "cross-site"),
        program
            .post("commands", &json!({ "name": "toggleMute" }))
            .header("host", "stranger.example"),
        Client::new()
            .post(program.url("cues"))
            .body("{\"key\":\"P\"}"),
        Client::new()
            .get(program.url("views"))
            .header("host", "stranger.example:5273"),
    ];
    for request in strange {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{answer:?}");
        let shares = answer.headers().contains_key("access-control-allow-origin");
        assert!(!shares, "{answer:?}");
    }
    let screen = program.views().await.until(|_| true).await;
    assert_eq!(screen["name"], "pair", "no code was read");
}

#[tokio::test]
async fn it_says_which_keys_do_what_obeys_its_terminal_and_leaves_nothing() {
    ring();
    let mut program = Program::start();
    program.prints("Open http://127.0.0.1:5273/");
    program.prints("Alt+A  a new ticket: admitted");
    let mut terminal = program.process.stdin.take().unwrap();
    terminal.write_all(b"p\nmode locked\nnonsense\n").unwrap();
    program.prints("pair: the imager reads a code");
    program.prints("ok");
    program.prints("mode online | mode degraded SECONDS");
    program.views().await.named("choose").await;
    assert_eq!(program.end(), Some(0));
    let left = std::fs::read_dir(program.folder.path()).unwrap().count();
    assert_eq!(left, 0, "its folder is gone");
}

#[test]
fn it_is_not_to_be_reached_from_elsewhere() {
    let started = Command::new(env!("CARGO_BIN_EXE_eventify-scanner-dev"))
        .args(["--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert!(!started.status.success());
    let said = String::from_utf8_lossy(&started.stderr).into_owned();
    assert!(said.contains("can be reached from elsewhere"), "{said}");
}
