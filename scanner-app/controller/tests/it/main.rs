//! The whole app without its window, against the mock node: real TLS, real files, real time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod app;
mod people;

use std::{path::Path, time::Duration};

use eventify_lan_client::Timeouts;
use eventify_scanner_controller::{
    command::Command,
    driver::{App, Config, Effect},
    io::Input,
    view::{Screen, View},
};
use eventify_scanner_mock_node::MockNode;
use tokio::time::timeout;

/// Longest wait for something that has to happen.
const SOON: Duration = Duration::from_secs(30);

async fn node() -> MockNode {
    MockNode::start("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap()
}

/// A scanner in a person's hands.
struct Scanner {
    app: App,
    /// Of the next key, on the keyboard's clock.
    typed_ms: u32,
}

impl Scanner {
    fn switch_on(folder: &Path) -> Self {
        let config = Config {
            timeouts: Timeouts {
                connect: Duration::from_millis(500),
                request: Duration::from_millis(500),
                silence: Duration::from_secs(3),
            },
            ..Config::in_folder(folder.to_owned(), "en")
        };
        let app = App::start(&config).unwrap();
        Self { app, typed_ms: 0 }
    }

    /// Switched on for the first time, paired, and at the first gate.
    async fn at_work(folder: &Path, node: &MockNode) -> Self {
        let mut scanner = Self::at_work_or_sign_in(folder, node).await;
        scanner
            .until(|view| matches!(view.screen, Screen::Ready { .. }))
            .await;
        scanner
    }

    /// The same, where somebody may have to sign in first.
    async fn at_work_or_sign_in(folder: &Path, node: &MockNode) -> Self {
        let mut scanner = Self::switch_on(folder);
        scanner.scan(&node.pairing_code().to_string()).await;
        let view = scanner
            .until(|view| matches!(view.screen, Screen::Choose { .. }))
            .await;
        let Screen::Choose { gates, .. } = view.screen else {
            unreachable!("waited for")
        };
        let command = Command::Choose {
            gate_id: gates[0].gate_id.clone(),
            performance_id: None,
        };
        scanner.command(command).await;
        scanner
    }

    async fn command(&self, command: Command) {
        let sent = self.app.inputs().send(Input::Command(command)).await;
        sent.unwrap();
    }

    async fn scan(&self, text: &str) {
        let text = text.to_owned();
        self.command(Command::CameraRead { text: text.into() })
            .await;
    }

    async fn until(&mut self, wanted: impl Fn(&View) -> bool) -> View {
        let mut views = self.app.view();
        let found = timeout(SOON, views.wait_for(|view| wanted(view))).await;
        match found {
            Ok(view) => view.unwrap().clone(),
            Err(_) => panic!("not in time: {:#?}", self.app.view().borrow()),
        }
    }

    /// The verdict on the glass with this word, or panic.
    async fn until_shown(&mut self, word: &str) -> eventify_scanner_controller::view::Shown {
        let is_word =
            |view: &View| matches!(&view.screen, Screen::Verdict(shown) if word_of(shown) == word);
        let Screen::Verdict(shown) = self.until(is_word).await.screen else {
            unreachable!("waited for")
        };
        shown
    }

    async fn effect(&mut self) -> Effect {
        timeout(SOON, self.app.effect()).await.unwrap().unwrap()
    }
}

/// The verdict's word, as the window has it.
fn word_of(shown: &eventify_scanner_controller::view::Shown) -> String {
    let json = serde_json::to_value(&shown.why).unwrap();
    json["verdict"].as_str().unwrap().to_owned()
}
