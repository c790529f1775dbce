//! What the window sends: keys as they were pressed, texts from the camera, and what the person wants.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::view::Settings;

/// From the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(
    tag = "name",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Command {
    /// Keys in their order: an imager types a whole code within some milliseconds.
    Keys {
        strokes: Vec<KeyStroke>,
    },
    /// The camera has read a code.
    CameraRead {
        text: String,
    },
    /// At [`Screen::Choose`](crate::view::Screen::Choose).
    Choose {
        gate_id: String,
        performance_id: Option<String>,
    },
    ChangeGate,
    ShowHistory,
    ShowSettings,
    Change {
        settings: Settings,
    },
    /// Of another scanner, as text.
    Import {
        code: String,
    },
    /// Back to the scan screen; dismisses a verdict; gives up a scan that is being checked.
    Dismiss,
    ToggleMute,
    TestSound,
    StartDrill,
    EndDrill,
    /// Forget the pairing; at the screens that ask for it.
    Unpair,
    /// Leave full screen; asks for the PIN.
    Leave,
}

/// A key that went down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyStroke {
    /// The physical key, as `KeyboardEvent.code` (W3C UI Events): which character it gives is the
    /// layout's word, and an imager does not know the layout.
    pub code: String,
    pub shift: bool,
    /// The keyboard's caps lock is on.
    pub caps_lock: bool,
    /// Held down: no key of an imager.
    pub repeat: bool,
    /// Milliseconds on a clock of the window that only runs forward.
    pub at_ms: u32,
}
