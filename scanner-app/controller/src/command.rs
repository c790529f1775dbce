//! What the window sends: keys as they were pressed, texts from the camera, and what the person wants.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::view::{Act, ActKind, Reason, SearchBy, Settings};

/// From the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(
    tag = "name",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Command {
    /// Keys of the page in their order: an imager types a whole code within some milliseconds. The page acts on none
    /// itself: function keys and Escape are acted on here as the commands of the same meaning, so that those which
    /// never reach the page ([`Input::WindowKeys`](crate::io::Input), [`Input::GrabbedKeys`](crate::io::Input)) do the
    /// same. In a drill 1, 2 and 3 let in, stop and call, and Space shows the next verdict.
    Keys {
        strokes: Vec<KeyStroke>,
    },
    /// A key of a pad on the glass, as `KeyboardEvent.code`: a finger's, however soon after the one before. It is
    /// typed, and never part of a code: what is tapped there may be a PIN.
    Tap {
        code: SecretText,
    },
    /// The camera has read a code.
    CameraRead {
        text: SecretText,
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
        digits: SecretText,
    },
    /// Leave full screen; asks for the PIN.
    Leave,
    /// Who works here: to begin a shift, or to hand over.
    ShowPeople,
    /// At [`Screen::People`](crate::view::Screen::People). Who has no PIN here signs in first.
    ChoosePerson {
        person_id: String,
    },
    /// At [`Screen::SignIn`](crate::view::Screen::SignIn): once more. At
    /// [`Screen::PersonPin`](crate::view::Screen::PersonPin): the PIN is forgotten, locked or over.
    SignInAgain,
    EndShift,
    /// What can be done beside scanning; from a refusal that can be overridden, that.
    ShowSupervisor,
    /// Asks for a supervisor's PIN where it has to, and then why.
    StartAct {
        act: ActKind,
    },
    /// At [`Screen::Reason`](crate::view::Screen::Reason): does it.
    GiveReason {
        reason: Reason,
        note: Option<String>,
    },
    /// The act without an answer, once more.
    RetryAct,
    ToggleExits,
    ShowSearch,
    Search {
        by: SearchBy,
        text: SecretText,
    },
    ShowCounts,
}

/// What somebody has typed or scanned: a ticket, a PIN, what finds a guest. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(transparent)]
#[ts(as = "String")]
pub struct SecretText(pub String);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText")
    }
}

/// A key that went down.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
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

eventify_protocol::debug_without_secrets! {
    KeyStroke { at_ms },
}

#[cfg(test)]
mod tests {
    use eventify_disk::pin::Pin;

    use super::*;
    use crate::{
        io::{Input, Output, SerialBytes},
        view::{SignInCode, TypedCode},
        wedge::Assembled,
    };

    const SECRET: &str = "2718281828";

    #[test]
    fn nothing_that_was_typed_or_scanned_is_printed() {
        let secret = || SecretText(SECRET.to_owned());
        let stroke = KeyStroke {
            code: SECRET.to_owned(),
            shift: false,
            caps_lock: false,
            repeat: false,
            at_ms: 1,
        };
        let mut commands = vec![
            Command::Keys {
                strokes: vec![stroke.clone()],
            },
            Command::Tap { code: secret() },
            Command::CameraRead { text: secret() },
            Command::SetPin { digits: secret() },
        ];
        commands.push(Command::Search {
            by: SearchBy::Name,
            text: secret(),
        });
        let inputs = [
            Input::GrabbedKeys(vec![stroke]),
            Input::SerialBytes {
                bytes: SerialBytes(vec![199; 4]),
                at_ms: 1,
            },
        ];
        let hashed = Output::HashPin {
            pin: Pin::read(SECRET.to_owned(), &(4..=12)).expect("it is a PIN"),
            salt: [1; 16],
        };
        let code = Assembled::Code {
            text: SECRET.to_owned(),
            inverted: false,
        };
        let typed = TypedCode {
            text: SECRET.to_owned(),
            length: 10,
            locked_ms: None,
        };
        let sign_in = SignInCode {
            user_code: SECRET.to_owned(),
            uri: String::new(),
            uri_with_code: SECRET.to_owned(),
            left_ms: 1,
        };
        let printed = format!("{commands:?} {inputs:?} {hashed:?} {code:?} {typed:?} {sign_in:?}");
        assert!(!printed.contains(SECRET), "{printed}");
        assert!(!printed.contains("199"), "{printed}");
    }
}
