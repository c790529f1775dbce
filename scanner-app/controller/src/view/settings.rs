//! What can be set, and inputs of the machine.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An input of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Path or name.
    pub id: String,
    pub kind: DeviceKind,
    pub in_use: bool,
}

/// How a code comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum DeviceKind {
    Wedge,
    Serial,
    Camera,
}

/// Settings of this scanner that the screen needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// BCP 47: `fr`, `en`, or one that a message file was added for.
    pub language: String,
    pub theme: Theme,
    pub text_size: TextSize,
    pub muted: bool,
    /// 0 to 100.
    pub volume: u8,
    pub camera: bool,
}

/// How the screens between verdicts look; verdicts look the same in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Theme {
    Dark,
    Light,
    HighContrast,
}

/// Text sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum TextSize {
    Normal,
    Large,
    Largest,
}

/// Why a code of settings was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ImportProblem {
    /// It does not begin with `evs1.`.
    NotSettings,
    /// Of a newer app.
    OtherVersion,
    /// Cut, or a character is wrong.
    Damaged,
}

/// What the PIN is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum PinFor {
    /// Leaving full screen.
    Leave,
    /// Another PIN in the place of the present one.
    NewPin,
    /// Forgetting the pairing.
    Unpair,
}
