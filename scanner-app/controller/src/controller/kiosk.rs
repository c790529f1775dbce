//! What is opened over the scan screen (the last ten, settings, PIN), and the way out of the kiosk.

use std::{ops::RangeInclusive, time::Duration};

use eventify_disk::pin::{Pin, PinHash};
use eventify_protocol::time::BootTime;
use zeroize::Zeroizing;

use super::{Controller, acts::Asked, finding::Finding, people::Flow, venue::Numbers};
use crate::{
    io::{Now, Output, StoredPin, Write},
    settings::code,
    view::{ImportProblem, PinFor, Screen, Settings},
    wedge::Key,
};

/// Of the kiosk's PIN.
const DIGITS: RangeInclusive<usize> = 4..=12;
/// After so many wrong PINs there is a pause before each further one.
const MAX_WRONG: u32 = 5;
const PAUSE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) enum Overlay {
    #[default]
    None,
    History,
    Settings {
        problem: Option<ImportProblem>,
    },
    Pin(PinEntry),
    People(Box<Flow>),
    Supervisor,
    Reason(Box<Asked>),
    Search(Box<Finding>),
    Numbers(Numbers),
}

impl Overlay {
    /// When something of it is due.
    pub(super) fn next(&self) -> Option<BootTime> {
        match self {
            Self::None
            | Self::History
            | Self::Settings { .. }
            | Self::Pin(_)
            | Self::Supervisor
            | Self::Reason(_) => None,
            Self::People(flow) => flow.next(),
            Self::Search(finding) => Some(finding.next()),
            Self::Numbers(numbers) => numbers.next(),
        }
    }
}

#[derive(Debug)]
pub(super) struct PinEntry {
    wanted: Wanted,
    typed: Zeroizing<String>,
    wrong: bool,
    /// The slow hash is being computed.
    checking: bool,
}

/// What the right PIN allows.
#[derive(Clone, Debug)]
enum Wanted {
    Leave,
    NewPin(Pin),
    Unpair,
}

/// The stored PIN.
#[derive(Debug, Default)]
pub(super) enum PinState {
    #[default]
    None,
    Set {
        stored: StoredPin,
        locked_until: Option<BootTime>,
    },
    /// The file can't be read: no PIN is right.
    Damaged,
}

impl PinState {
    pub(super) fn loaded(pin: Option<StoredPin>, damaged: bool, now: Now) -> Self {
        match pin {
            Some(stored) => Self::Set {
                locked_until: (stored.wrong >= MAX_WRONG).then(|| now.boot.plus(PAUSE)),
                stored,
            },
            None if damaged => Self::Damaged,
            None => Self::None,
        }
    }

    pub(super) fn is_set(&self) -> bool {
        !matches!(self, Self::None)
    }

    fn locked_for(&self, now: BootTime) -> Option<Duration> {
        let Self::Set { locked_until, .. } = self else {
            return None;
        };
        locked_until
            .filter(|until| *until > now)
            .map(|until| until.since(now))
    }

    pub(super) fn next(&self) -> Option<BootTime> {
        match self {
            Self::Set { locked_until, .. } => *locked_until,
            Self::None | Self::Damaged => None,
        }
    }
}

impl Controller {
    pub(super) fn show_settings(&mut self) {
        self.overlay = Overlay::Settings { problem: None };
    }

    pub(super) fn change_settings(&mut self, settings: Settings) {
        if settings.is_valid() && settings != self.settings {
            self.settings = settings.clone();
            self.out.write(Write::Settings(settings));
        }
    }

    /// A code of settings was scanned or pasted.
    pub(super) fn import(&mut self, text: &str) {
        let problem = match code::read(text) {
            Ok(settings) => {
                self.change_settings(settings);
                None
            }
            Err(problem) => Some(problem),
        };
        self.overlay = Overlay::Settings { problem };
    }

    pub(super) fn leave(&mut self) {
        self.ask_pin(Wanted::Leave);
    }

    pub(super) fn set_pin(&mut self, digits: String, now: Now) {
        let Some(pin) = Pin::read(digits, &DIGITS) else {
            return;
        };
        if self.pin.is_set() {
            self.ask_pin(Wanted::NewPin(pin));
        } else {
            self.hash_pin(pin, now);
        }
    }

    pub(super) fn unpair_with_pin(&mut self) {
        if self.pin.is_set() {
            self.ask_pin(Wanted::Unpair);
        } else {
            self.unpair();
        }
    }

    fn ask_pin(&mut self, wanted: Wanted) {
        if !self.pin.is_set() && matches!(wanted, Wanted::Leave) {
            self.out.push(Output::LeaveFullScreen);
            return;
        }
        self.overlay = Overlay::Pin(PinEntry {
            wanted,
            typed: Zeroizing::new(String::new()),
            wrong: false,
            checking: false,
        });
    }

    /// A key while the PIN is asked for.
    pub(super) fn press_on_pin(&mut self, key: Key, now: Now) {
        let is_locked = self.pin.locked_for(now.boot).is_some();
        let Overlay::Pin(entry) = &mut self.overlay else {
            return;
        };
        match key {
            Key::Escape => self.overlay = Overlay::None,
            Key::Char(digit) if digit.is_ascii_digit() && !is_locked && !entry.checking => {
                if entry.typed.len() < *DIGITS.end() {
                    entry.typed.push(digit);
                    entry.wrong = false;
                }
            }
            Key::Backspace if !entry.checking => {
                entry.typed.pop();
            }
            Key::Enter if !is_locked && !entry.checking => self.check_pin(),
            Key::Char(_) | Key::Enter | Key::Backspace | Key::Tab | Key::Function(_) => {}
        }
    }

    fn check_pin(&mut self) {
        let Overlay::Pin(entry) = &mut self.overlay else {
            return;
        };
        let pin = Pin::read(std::mem::take(&mut *entry.typed), &DIGITS);
        match (pin, &self.pin) {
            (Some(pin), PinState::Set { stored, .. }) => {
                entry.checking = true;
                let hash = stored.hash.clone();
                self.out.push(Output::CheckPin { pin, hash });
            }
            (None, _) | (_, PinState::None | PinState::Damaged) => entry.wrong = true,
        }
    }

    pub(super) fn on_pin_checked(&mut self, is_right: bool, now: Now) {
        let PinState::Set {
            stored,
            locked_until,
        } = &mut self.pin
        else {
            return;
        };
        let wrong = if is_right {
            0
        } else {
            stored.wrong.saturating_add(1)
        };
        if wrong != stored.wrong {
            stored.wrong = wrong;
            self.out.write(Write::Pin(stored.clone()));
        }
        *locked_until = (wrong >= MAX_WRONG).then(|| now.boot.plus(PAUSE));
        let Overlay::Pin(entry) = &mut self.overlay else {
            return;
        };
        entry.checking = false;
        entry.wrong = !is_right;
        if !is_right {
            return;
        }
        let wanted = entry.wanted.clone();
        self.overlay = Overlay::None;
        match wanted {
            Wanted::Leave => self.out.push(Output::LeaveFullScreen),
            Wanted::NewPin(pin) => {
                self.hash_pin(pin, now);
                self.show_settings();
            }
            Wanted::Unpair => self.unpair(),
        }
    }

    fn hash_pin(&mut self, pin: Pin, now: Now) {
        let salt = now.random;
        self.out.push(Output::HashPin { pin, salt });
    }

    pub(super) fn on_pin_hashed(&mut self, hash: PinHash) {
        let stored = StoredPin { hash, wrong: 0 };
        self.out.write(Write::Pin(stored.clone()));
        self.pin = PinState::Set {
            stored,
            locked_until: None,
        };
    }

    /// What is open, if anything is.
    pub(super) fn overlay_screen(&self, now: BootTime) -> Option<Screen> {
        match &self.overlay {
            Overlay::None => None,
            Overlay::History => Some(Screen::History {
                scans: self.glass.history(now),
            }),
            Overlay::Settings { problem } => Some(Screen::Settings {
                devices: self.devices.clone(),
                export: code::write(&self.settings),
                problem: *problem,
                has_pin: self.pin.is_set(),
            }),
            Overlay::People(flow) => Some(self.people_screen(flow, now)),
            Overlay::Supervisor => Some(self.supervisor_screen(now)),
            Overlay::Reason(asked) => Some(Self::reason_screen(asked, now)),
            Overlay::Search(finding) => Some(finding.view(now)),
            Overlay::Numbers(numbers) => Some(numbers.view()),
            Overlay::Pin(entry) => Some(Screen::Pin {
                wanted_for: match entry.wanted {
                    Wanted::Leave => PinFor::Leave,
                    Wanted::NewPin(_) => PinFor::NewPin,
                    Wanted::Unpair => PinFor::Unpair,
                },
                digits: u8::try_from(entry.typed.len()).unwrap_or(u8::MAX),
                wrong: entry.wrong,
                locked_ms: self.pin.locked_for(now).map(super::ms32),
            }),
        }
    }
}
