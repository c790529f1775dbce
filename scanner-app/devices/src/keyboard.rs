//! Imagers that are a keyboard to Linux. The app takes such a device for itself (`EVIOCGRAB`): no window
//! that happens to have the focus, no layout and no window manager comes between.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    sync::mpsc::SyncSender,
};

use evdev::{Device, EventSummary, KeyCode, LedCode};
use eventify_scanner_controller::command::KeyStroke;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use crate::{
    DeviceEvent, Worker, clock, key_names,
    worker::{End, Stop, spawn},
};

/// Longest wait for a key, after which the thread looks whether it has to end.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// What a key's event says: 1 is that it went down.
const UP: i32 = 0;
const REPEAT: i32 = 2;

/// A keyboard of this machine: imagers and what people type on alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyboard {
    pub path: PathBuf,
    /// The maker's.
    pub name: String,
}

/// Keyboards that may be opened.
#[must_use]
pub fn list() -> Vec<Keyboard> {
    let keyboards = evdev::enumerate().filter(|(_, device)| is_keyboard(device));
    keyboards
        .map(|(path, device)| Keyboard {
            path,
            name: device.name().unwrap_or_default().to_owned(),
        })
        .collect()
}

fn is_keyboard(device: &Device) -> bool {
    device.supported_keys().is_some_and(|keys| {
        [KeyCode::KEY_A, KeyCode::KEY_1, KeyCode::KEY_ENTER]
            .into_iter()
            .all(|key| keys.contains(key))
    })
}

/// Reads and takes the keyboard at `path` until the worker is dropped. A path of `/dev/input/by-id`
/// stays the same when it is plugged in again.
///
/// # Errors
/// The system starts no thread.
pub fn open(path: PathBuf, events: SyncSender<DeviceEvent>) -> io::Result<Worker> {
    spawn("keyboard", events, move |stop, emit| {
        match read(&path, stop, emit) {
            Ok(()) => End::Stopped,
            Err(error) => End::Gone(error.to_string()),
        }
    })
}

fn read(path: &PathBuf, stop: &Stop, emit: &dyn Fn(DeviceEvent) -> bool) -> io::Result<()> {
    let mut device = Device::open(path)?;
    device.set_nonblocking(true)?;
    device.grab()?;
    if !emit(DeviceEvent::Found) {
        return Ok(());
    }
    let mut modifiers = Modifiers {
        caps_lock: device.get_led_state()?.contains(LedCode::LED_CAPSL),
        ..Modifiers::default()
    };
    loop {
        match poll(&mut [PollFd::new(&device, PollFlags::IN)], Some(&PATIENCE)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let strokes = match device.fetch_events() {
            Ok(events) => {
                let at_ms = clock::milliseconds();
                events
                    .filter_map(|event| modifiers.stroke(&event.destructure(), at_ms))
                    .collect()
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Vec::new(),
            Err(error) => return Err(error),
        };
        let went_out = strokes.is_empty() || emit(DeviceEvent::Keys(strokes));
        if !went_out || stop.wait(std::time::Duration::ZERO) {
            return Ok(());
        }
    }
}

/// Which modifiers are down.
#[derive(Debug, Default)]
struct Modifiers {
    left_shift: bool,
    right_shift: bool,
    caps_lock: bool,
}

impl Modifiers {
    /// A key that went down or repeats; none of what is no key, goes up or is only a modifier.
    fn stroke(&mut self, event: &EventSummary, at_ms: u32) -> Option<KeyStroke> {
        if let EventSummary::Led(_, LedCode::LED_CAPSL, value) = event {
            self.caps_lock = *value != 0;
        }
        let EventSummary::Key(_, key, value) = event else {
            return None;
        };
        match *key {
            KeyCode::KEY_LEFTSHIFT => self.left_shift = *value != UP,
            KeyCode::KEY_RIGHTSHIFT => self.right_shift = *value != UP,
            _ => {}
        }
        let code = key_names::of(*key).filter(|_| *value != UP)?;
        Some(KeyStroke {
            code: code.to_owned(),
            shift: self.left_shift || self.right_shift,
            caps_lock: self.caps_lock,
            repeat: *value == REPEAT,
            at_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use evdev::{EventType, InputEvent};

    use super::*;

    fn key(code: KeyCode, value: i32) -> InputEvent {
        InputEvent::new(EventType::KEY.0, code.0, value)
    }

    #[test]
    fn keys_have_their_place_and_the_modifiers_of_their_moment() {
        let typed = [
            key(KeyCode::KEY_LEFTSHIFT, 1),
            key(KeyCode::KEY_E, 1),
            key(KeyCode::KEY_E, 0),
            key(KeyCode::KEY_LEFTSHIFT, 0),
            key(KeyCode::KEY_1, 1),
            key(KeyCode::KEY_1, 2),
            InputEvent::new(EventType::LED.0, LedCode::LED_CAPSL.0, 1),
            key(KeyCode::KEY_KPENTER, 1),
            key(KeyCode::KEY_VOLUMEUP, 1),
        ];
        let mut modifiers = Modifiers::default();
        let strokes = typed
            .iter()
            .filter_map(|event| modifiers.stroke(&event.destructure(), 7));
        let strokes: Vec<_> = strokes
            .map(|it| (it.code, it.shift, it.caps_lock, it.repeat))
            .collect();
        let stroke = |code: &str, shift, caps, repeat| (code.to_owned(), shift, caps, repeat);
        assert_eq!(
            strokes,
            [
                stroke("KeyE", true, false, false),
                stroke("Digit1", false, false, false),
                stroke("Digit1", false, false, true),
                stroke("NumpadEnter", false, true, false),
            ]
        );
    }
}
