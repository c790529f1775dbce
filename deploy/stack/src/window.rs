//! A program with a web view in a real window, on a display that nobody sees: Xvfb, and WebKit's own
//! WebDriver, which starts the program and reaches into its page.
//!
//! `tauri-driver` is not needed between: on Linux it passes everything on to the same WebKit driver.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fantoccini::error::{CmdError, NewSessionError};
use fantoccini::{Client, ClientBuilder};
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;

use crate::error::Result;
use crate::ports;
use crate::process::{Program, Server, StopSignal, run_to_end};
use crate::scratch::Scratch;

const READY_LIMIT: Duration = Duration::from_secs(60);

/// What to open.
#[derive(Debug, Clone)]
pub struct WindowOptions {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(&'static str, String)>,
    /// Of the display, in pixels.
    pub size: (u16, u16),
}

/// Why there is no window, or no answer of its page.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// The display or the driver.
    #[error(transparent)]
    Stack(#[from] crate::StackError),
    #[error("the program's window can't be opened: {0}")]
    Session(#[from] NewSessionError),
    #[error("the page does not answer as it should: {0}")]
    Page(#[from] CmdError),
}

/// An open window. [`Window::close`] ends its program in order; dropping it ends it at once.
#[derive(Debug)]
pub struct Window {
    page: Client,
    display: String,
    // Ended in this order.
    _driver: Server,
    _display: Server,
    _scratch: Scratch,
}

impl Window {
    /// Opens the program's window and waits for its page.
    ///
    /// # Errors
    /// See [`WindowError`].
    pub async fn open(options: WindowOptions) -> std::result::Result<Self, WindowError> {
        let scratch = Scratch::create()?;
        let (display, x) = start_display(&scratch, options.size).await?;
        let home = scratch.directory("home")?;
        let mut environment = vec![
            ("DISPLAY", display.clone()),
            ("HOME", home.display().to_string()),
            ("XDG_RUNTIME_DIR", home.display().to_string()),
            // The window lets itself be driven only then.
            ("TAURI_AUTOMATION", "true".to_owned()),
            ("TAURI_WEBVIEW_AUTOMATION", "true".to_owned()),
            ("LIBGL_ALWAYS_SOFTWARE", "1".to_owned()),
        ];
        environment.extend(options.environment);
        let (port, driver) = start_driver(&scratch, environment).await?;
        let mut capabilities = Map::new();
        capabilities.insert(
            "webkitgtk:browserOptions".to_owned(),
            json!({ "binary": options.program, "args": options.arguments }),
        );
        let page = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await?;
        Ok(Self {
            page,
            display,
            _driver: driver,
            _display: x,
            _scratch: scratch,
        })
    }

    /// The page, for clicks and questions.
    #[must_use]
    pub fn page(&self) -> &Client {
        &self.page
    }

    /// What a script in the page gives back.
    ///
    /// # Errors
    /// [`WindowError::Page`].
    pub async fn run(&self, script: &str) -> std::result::Result<Value, WindowError> {
        Ok(self.page.execute(script, Vec::new()).await?)
    }

    /// What stands on the glass, as PNG.
    ///
    /// # Errors
    /// [`WindowError::Page`].
    pub async fn picture(&self) -> std::result::Result<Vec<u8>, WindowError> {
        Ok(self.page.screenshot().await?)
    }

    /// Sets the keyboard's layout, as XKB names it (`us`, `fr`, `de`).
    ///
    /// # Errors
    /// [`WindowError::Stack`].
    pub async fn set_layout(&self, layout: &str) -> std::result::Result<(), WindowError> {
        let mut command = self.tool("setxkbmap");
        command.arg(layout);
        Ok(run_to_end(command, "setting the keyboard's layout").await?)
    }

    /// Presses keys one after the other by their X key codes, as an imager does, which knows no layout.
    /// With shift where it is said.
    ///
    /// # Errors
    /// [`WindowError::Stack`].
    pub async fn press(&self, keys: &[(u8, bool)]) -> std::result::Result<(), WindowError> {
        /// Left shift.
        const SHIFT: u8 = 50;
        let mut command = self.tool("xdotool");
        let mut shifted = false;
        for (key, shift) in keys {
            if *shift != std::mem::replace(&mut shifted, *shift) {
                let act = if *shift { "keydown" } else { "keyup" };
                command.args([act, "--delay", "0", &SHIFT.to_string()]);
            }
            command.args(["key", "--delay", "0", &key.to_string()]);
        }
        if shifted {
            command.args(["keyup", "--delay", "0", &SHIFT.to_string()]);
        }
        Ok(run_to_end(command, "pressing keys").await?)
    }

    fn tool(&self, name: &str) -> std::process::Command {
        let mut command = std::process::Command::new(name);
        command.env("DISPLAY", &self.display);
        command
    }

    /// Ends the program.
    ///
    /// # Errors
    /// [`WindowError::Page`].
    pub async fn close(self) -> std::result::Result<(), WindowError> {
        Ok(self.page.close().await?)
    }
}

async fn start_display(scratch: &Scratch, (width, height): (u16, u16)) -> Result<(String, Server)> {
    let log = scratch.path().join("display.log");
    let mut server = Server::start(Program {
        name: "the display",
        executable: Path::new("/usr/bin/Xvfb"),
        arguments: ["-displayfd", "1", "-nolisten", "tcp", "-screen", "0"]
            .map(str::to_owned)
            .into_iter()
            .chain([format!("{width}x{height}x24")])
            .collect(),
        environment: Vec::new(),
        stop: StopSignal::Terminate,
        user: None,
        log: log.clone(),
    })?;
    // It writes the number of the display that it has found free.
    let number = server
        .ready(READY_LIMIT, || async {
            let text = std::fs::read_to_string(&log).map_err(|error| error.to_string())?;
            let mut lines = text
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            lines
                .find_map(|line| line.trim().parse::<u16>().ok())
                .ok_or_else(|| "no display yet".to_owned())
        })
        .await?;
    Ok((format!(":{number}"), server))
}

async fn start_driver(
    scratch: &Scratch,
    environment: Vec<(&'static str, String)>,
) -> Result<(u16, Server)> {
    let port = ports::free()?;
    let mut server = Server::start(Program {
        name: "the web driver",
        executable: Path::new("/usr/bin/WebKitWebDriver"),
        arguments: vec![format!("--port={port}"), "--host=127.0.0.1".to_owned()],
        environment,
        stop: StopSignal::Terminate,
        user: None,
        log: scratch.path().join("driver.log"),
    })?;
    server
        .ready(READY_LIMIT, || async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await;
            stream.map(drop).map_err(|error| error.to_string())
        })
        .await?;
    Ok((port, server))
}
