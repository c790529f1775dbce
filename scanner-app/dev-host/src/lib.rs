//! The scanner app with a browser's page in the place of its window: the controller and its driver as in the
//! app, at the mock node, on a disk that is forgotten. The page speaks to it as the window does to the app
//! (`ui/src/host/development.ts`): commands in, views out; and a [`Cue`] more for each thing that a venue would do.
//!
//! | request | what |
//! |---|---|
//! | `GET /host/views` | server-sent events `view`: the present one, then each new one |
//! | `POST /host/commands` | a [`Command`](eventify_scanner_controller::command::Command) as JSON |
//! | `POST /host/cues` | `{"key": "A"}` |
//!
//! Deliberately absent: Tauri, a display, imagers, loudspeakers (what would be heard is printed), and everything
//! that is not on this machine's loopback.

mod cues;
mod guard;
mod server;

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, ensure};
use eventify_scanner_controller::{
    driver::{App, Config, Effect},
    io::{Input, SerialBytes},
    view::View,
};
use eventify_scanner_mock_node::MockNode;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};

pub use cues::{CUES, Cue, find};

use cues::Script;

/// The app, the node, and who drives them.
#[derive(Debug)]
pub struct DevHost {
    node: MockNode,
    script: Mutex<Script>,
    inputs: mpsc::Sender<Input>,
    view: watch::Receiver<View>,
    /// Milliseconds of the imager, which is never in a hurry.
    imager_ms: Mutex<u32>,
    _folder: TempDir,
}

/// What the app makes its surroundings do.
#[derive(Debug)]
pub struct Effects(App);

impl Effects {
    /// The next one; none when the app has ended.
    pub async fn next(&mut self) -> Option<Effect> {
        self.0.effect().await
    }

    /// Ends the app. Only then nobody writes into the folder that goes with the [`DevHost`].
    pub async fn stop(self) {
        self.0.stop().await;
    }
}

impl DevHost {
    /// Starts node and app; the scanner is not paired.
    ///
    /// # Errors
    /// No port or no temporary folder is to be had.
    pub async fn start(language: &str) -> Result<(Self, Effects)> {
        let node = MockNode::start(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let folder = tempfile::tempdir().context("a folder for the app")?;
        let app = App::start(&Config::in_folder(folder.path().to_owned(), language))?;
        let host = Self {
            node,
            script: Mutex::default(),
            inputs: app.inputs(),
            view: app.view(),
            imager_ms: Mutex::default(),
            _folder: folder,
        };
        Ok((host, Effects(app)))
    }

    /// Plays a cue.
    ///
    /// # Errors
    /// The app has ended.
    pub async fn play(&self, cue: Cue) -> Result<()> {
        let read = {
            let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
            script.play(cue, &self.node)?
        };
        match read {
            Some(text) => self.input(self.imager_reads(&text)).await,
            None => Ok(()),
        }
    }

    /// As `eventify-mock-node` takes it from its terminal.
    ///
    /// # Errors
    /// What the line should have been.
    pub fn command_node(&self, line: &str) -> Result<(), String> {
        self.node.command(line)
    }

    /// An imager on a serial line.
    fn imager_reads(&self, text: &str) -> Input {
        let mut at = self
            .imager_ms
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *at = at.wrapping_add(10_000);
        Input::SerialBytes {
            bytes: SerialBytes(format!("{text}\r").into_bytes()),
            at_ms: *at,
        }
    }

    async fn input(&self, input: Input) -> Result<()> {
        let sent = self.inputs.send(input).await;
        sent.ok().context("the app has ended")
    }
}

/// A port of this machine, for itself alone; 0 is any free one.
///
/// # Errors
/// The address is not a loopback one, or in use.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    let is_own = address.ip().is_loopback();
    ensure!(
        is_own,
        "{address} can be reached from elsewhere: choose one of 127.0.0.1"
    );
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("{address} is not free: end what uses it, or choose another"))
}

pub use server::serve;
