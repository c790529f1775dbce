//! A display that nobody sees, what is on it, and what window managers do, without one.

use std::path::Path;
use std::time::Duration;

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask, MapState, Window,
};
use x11rb::rust_connection::RustConnection;

use crate::error::StackError;
use crate::process::{Program, Server, StopSignal};
use crate::scratch::Scratch;

const READY_LIMIT: Duration = Duration::from_secs(60);

/// A running Xvfb. Dropping it ends it, and every window on it.
#[derive(Debug)]
pub struct Display {
    name: String,
    _server: Server,
    _scratch: Scratch,
}

impl Display {
    /// Starts one of so many pixels.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start((width, height): (u16, u16)) -> std::result::Result<Self, StackError> {
        let scratch = Scratch::create()?;
        let log = scratch.path().join("display.log");
        let mut server = Server::start(Program {
            name: "the display",
            executable: Path::new("/usr/bin/Xvfb"),
            // Without a client it would begin anew, and turn away who comes meanwhile.
            arguments: [
                "-noreset",
                "-displayfd",
                "1",
                "-nolisten",
                "tcp",
                "-screen",
                "0",
            ]
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
        Ok(Self {
            name: format!(":{number}"),
            _server: server,
            _scratch: scratch,
        })
    }

    /// For the variable `DISPLAY`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Of a window, in pixels of the display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    pub x: i16,
    pub y: i16,
    pub width: u16,
    pub height: u16,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub(crate) fn visible(display: &str) -> Result<Vec<Rectangle>> {
    let (connection, windows) = open(display)?;
    let mut rectangles = Vec::new();
    for window in windows {
        let request = connection.get_geometry(window)?;
        let seen = request.reply()?;
        rectangles.push(Rectangle {
            x: seen.x,
            y: seen.y,
            width: seen.width,
            height: seen.height,
        });
    }
    Ok(rectangles)
}

pub(crate) fn ask_to_close(display: &str) -> Result<()> {
    let (connection, windows) = open(display)?;
    let atom = |name: &str| {
        let request = connection.intern_atom(false, name.as_bytes());
        let reply = request?.reply()?;
        Ok::<_, Box<dyn std::error::Error>>(reply.atom)
    };
    let (protocols, delete) = (atom("WM_PROTOCOLS")?, atom("WM_DELETE_WINDOW")?);
    for window in windows {
        let message = ClientMessageEvent::new(32, window, protocols, [delete, 0, 0, 0, 0]);
        let sent = connection.send_event(false, window, EventMask::NO_EVENT, message);
        sent?;
    }
    // Answered when all before has been carried out.
    let request = connection.get_atom_name(AtomEnum::STRING.into());
    request?.reply()?;
    Ok(())
}

/// The display's windows that are seen.
fn open(display: &str) -> Result<(RustConnection, Vec<Window>)> {
    let (connection, screen) = x11rb::connect(Some(display))?;
    let root = connection.setup().roots[screen].root;
    let tree = connection.query_tree(root)?.reply();
    let mut windows = Vec::new();
    for window in tree?.children {
        let request = connection.get_window_attributes(window)?;
        // One that is gone meanwhile is not seen.
        let is_seen = request
            .reply()
            .is_ok_and(|seen| seen.map_state == MapState::VIEWABLE);
        if is_seen {
            windows.push(window);
        }
    }
    Ok((connection, windows))
}
