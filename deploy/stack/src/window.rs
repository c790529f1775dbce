//! A program with a web view in a real window, on a display that nobody sees: Xvfb, and WebKit's own
//! WebDriver, which starts the program and reaches into its page.
//!
//! `tauri-driver` is not needed between: on Linux it passes everything on to the same WebKit driver.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fantoccini::error::{CmdError, NewSessionError};
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;

use crate::error::Result;
use crate::ports;
use crate::process::{Program, Server, StopSignal, run_to_end};
use crate::scratch::Scratch;
use crate::us_keyboard::{self, named};
use crate::x11::{self, Display, Rectangle};

const READY_LIMIT: Duration = Duration::from_secs(60);
const DRIVER_LOG: &str = "driver.log";

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
    #[error("the display does not answer: {0}")]
    Display(String),
    #[error("a US keyboard has no key for {0:?}")]
    NoKey(char),
}

/// An open window. [`Window::close`] ends its program in order; dropping it ends it at once.
#[derive(Debug)]
pub struct Window {
    page: Client,
    /// Of the driver.
    port: u16,
    capabilities: Map<String, Value>,
    // Ended in this order.
    driver: Server,
    display: Display,
    scratch: Scratch,
}

impl Window {
    /// Opens the program's window and waits for its page.
    ///
    /// # Errors
    /// See [`WindowError`].
    pub async fn open(options: WindowOptions) -> std::result::Result<Self, WindowError> {
        let scratch = Scratch::create()?;
        let display = Display::start(options.size).await?;
        let home = scratch.directory("home")?;
        let mut environment = vec![
            ("DISPLAY", display.name().to_owned()),
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
        let page = start_program(&driver, port, &capabilities).await?;
        Ok(Self {
            page,
            port,
            capabilities,
            driver,
            display,
            scratch,
        })
    }

    /// Ends the program and starts it again, on the same display.
    ///
    /// # Errors
    /// See [`WindowError`].
    pub async fn restart(&mut self) -> std::result::Result<(), WindowError> {
        self.page.clone().close().await?;
        // The driver says so before the program has let go of its folder.
        self.driver.alone(READY_LIMIT).await?;
        self.page = start_program(&self.driver, self.port, &self.capabilities).await?;
        Ok(())
    }

    /// What the program has written to standard output and standard error, and the driver.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.scratch.path().join(DRIVER_LOG)
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

    /// Waits until so many pictures have been drawn.
    ///
    /// # Errors
    /// [`WindowError::Page`].
    pub async fn frames(&self, count: u32) -> std::result::Result<(), WindowError> {
        const FRAMES: &str = "
            const done = arguments[arguments.length - 1];
            let left = arguments[0];
            const next = () => (left-- > 0 ? requestAnimationFrame(next) : done(null));
            next();";
        self.page.execute_async(FRAMES, vec![json!(count)]).await?;
        Ok(())
    }

    /// Clicks what an XPath finds; false if there is nothing that can be clicked now, such as on a page that
    /// is being drawn anew.
    ///
    /// # Errors
    /// [`WindowError::Page`].
    pub async fn click(&self, xpath: &str) -> std::result::Result<bool, WindowError> {
        let clicked = match self.page.find(Locator::XPath(xpath)).await {
            Ok(element) => element.click().await,
            Err(error) => Err(error),
        };
        match clicked {
            Ok(()) => Ok(true),
            Err(error)
                if error.is_no_such_element()
                    || error.is_stale_element_reference()
                    || error.is_element_not_interactable() =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
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
        self.press_each(keys, Duration::ZERO).await
    }

    /// Types a text as if the keyboard were a US one, with a pause after each key: none for an imager.
    ///
    /// # Errors
    /// [`WindowError::NoKey`], [`WindowError::Stack`].
    pub async fn type_text(
        &self,
        text: &str,
        pause: Duration,
    ) -> std::result::Result<(), WindowError> {
        let key = |char| us_keyboard::key(char).ok_or(WindowError::NoKey(char));
        let keys: std::result::Result<Vec<_>, _> = text.chars().map(key).collect();
        self.press_each(&keys?, pause).await
    }

    async fn press_each(
        &self,
        keys: &[(u8, bool)],
        pause: Duration,
    ) -> std::result::Result<(), WindowError> {
        let mut command = self.tool("xdotool");
        let shift_key = name_of(named::SHIFT);
        let mut shifted = false;
        for (key, shift) in keys {
            if *shift != std::mem::replace(&mut shifted, *shift) {
                let act = if *shift { "keydown" } else { "keyup" };
                command.args([act, "--delay", "0", &shift_key]);
            }
            command.args(["key", "--delay", "0", &name_of(*key)]);
            if !pause.is_zero() {
                command.args(["sleep", &pause.as_secs_f64().to_string()]);
            }
        }
        if shifted {
            command.args(["keyup", "--delay", "0", &shift_key]);
        }
        Ok(run_to_end(command, "pressing keys").await?)
    }

    /// Presses a chord, as xdotool names it: `ctrl+r`, `alt+F4`, `Menu`.
    ///
    /// # Errors
    /// [`WindowError::Stack`].
    pub async fn press_chord(&self, chord: &str) -> std::result::Result<(), WindowError> {
        let mut command = self.tool("xdotool");
        command.args(["key", chord]);
        Ok(run_to_end(command, "pressing a chord").await?)
    }

    /// Clicks with a button of the mouse, where the pointer is.
    ///
    /// # Errors
    /// [`WindowError::Stack`].
    pub async fn click_button(&self, button: u8) -> std::result::Result<(), WindowError> {
        let mut command = self.tool("xdotool");
        command.args(["click", &button.to_string()]);
        Ok(run_to_end(command, "clicking").await?)
    }

    /// The windows that are seen on the display, menus and dialogs included: of each its place and size.
    ///
    /// # Errors
    /// [`WindowError::Display`].
    pub fn visible(&self) -> std::result::Result<Vec<Rectangle>, WindowError> {
        x11::visible(self.display.name()).map_err(|error| WindowError::Display(error.to_string()))
    }

    /// Asks each window to close, as a window manager does for Alt+F4 or a close button.
    ///
    /// # Errors
    /// [`WindowError::Display`].
    pub fn ask_to_close(&self) -> std::result::Result<(), WindowError> {
        x11::ask_to_close(self.display.name())
            .map_err(|error| WindowError::Display(error.to_string()))
    }

    fn tool(&self, name: &str) -> std::process::Command {
        let mut command = std::process::Command::new(name);
        command.env("DISPLAY", self.display.name());
        command
    }

    /// Ends the program.
    ///
    /// # Errors
    /// [`WindowError::Page`].
    pub async fn close(self) -> std::result::Result<(), WindowError> {
        self.page.close().await?;
        Ok(self.driver.alone(READY_LIMIT).await?)
    }
}

/// For a program that ends at once the driver would wait for ever.
async fn start_program(
    driver: &Server,
    port: u16,
    capabilities: &Map<String, Value>,
) -> std::result::Result<Client, WindowError> {
    let address = format!("http://127.0.0.1:{port}");
    let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
    builder.capabilities(capabilities.clone());
    match tokio::time::timeout(READY_LIMIT, builder.connect(&address)).await {
        Ok(page) => Ok(page?),
        Err(_) => Err(driver
            .not_ready(READY_LIMIT, "the program has opened no window".to_owned())
            .into()),
    }
}

/// For xdotool, which takes a single digit for the character on a key.
fn name_of(key: u8) -> String {
    match key {
        named::ESCAPE => "Escape".to_owned(),
        code => code.to_string(),
    }
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
        log: scratch.path().join(DRIVER_LOG),
    })?;
    server
        .ready(READY_LIMIT, || async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await;
            stream.map(drop).map_err(|error| error.to_string())
        })
        .await?;
    Ok((port, server))
}
