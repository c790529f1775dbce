//! What the window sends: keys as they were pressed, texts from the camera, and what the person wants.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::view::{Act, Settings};

/// From the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(
    tag = "name",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Command {
    /// Keys in their order: an imager types a whole code within some milliseconds. Every key goes here
    /// and the window acts on none itself: F3, F8, F9 and Escape are acted on here as the commands of
    /// the same meaning, so that keys of a grabbed device (`evdev`) do the same.
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
    /// A made-up verdict, chosen at random, for drills without printed codes.
    NextDrill,
    /// What the person does about the verdict of the drill.
    AnswerDrill {
        act: Act,
    },
    EndDrill,
    /// Forget the pairing: at once where the node has forgotten it too, else with the PIN, if there is
    /// one.
    Unpair,
    /// 4 to 12 digits. Asks for the present one first, if there is one.
    SetPin {
        digits: String,
    },
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
