//! The screen of a gate does not sleep: an X server's screen saver and power saving are suspended for as long
//! as the program lives, and are as they were before when it ends. A Wayland compositor for kiosks, such as
//! `cage`, blanks nothing by itself.

use std::error::Error;

use x11rb::{
    connection::Connection as _, protocol::screensaver::ConnectionExt as _,
    rust_connection::RustConnection,
};

/// Since when `ScreenSaverSuspend` is there.
const SUSPEND_VERSION: (u8, u8) = (1, 1);

/// Ends with this.
#[derive(Debug)]
pub(crate) struct Awake {
    _connection: Option<RustConnection>,
}

impl Awake {
    /// Goes on without, where the display does not offer it.
    pub(crate) fn keep() -> Self {
        if std::env::var_os("WAYLAND_DISPLAY").is_some() {
            return Self { _connection: None };
        }
        let connection = suspend();
        if let Err(error) = &connection {
            tracing::warn!(
                code = "scanner.screen_may_sleep",
                %error,
                "the display's screen saver can't be suspended"
            );
        }
        Self {
            _connection: connection.ok(),
        }
    }
}

fn suspend() -> Result<RustConnection, Box<dyn Error>> {
    let (connection, _) = x11rb::connect(None)?;
    let (major, minor) = SUSPEND_VERSION;
    let version = connection.screensaver_query_version(major, minor)?;
    version.reply()?;
    connection.screensaver_suspend(1)?;
    connection.flush()?;
    Ok(connection)
}
