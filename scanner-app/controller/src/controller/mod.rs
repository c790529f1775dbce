//! The app as a pure machine: inputs and their time in, outputs and a view out. It reads no clock, waits
//! for nothing, and draws no random number.
//!
//! | file | what |
//! |---|---|
//! | `mod` | the parts, and what follows by itself from inputs and time |
//! | `reading`, `commands` | inputs to the parts that they concern |
//! | `pairing`, `choosing` | the way to a node and a gate |
//! | `link`, `health` | the line to the node, and what the node says about itself |
//! | `people`, `acts` | who holds the scanner; what is done beside scanning |
//! | `finding`, `venue` | guests found; how many are inside |
//! | `scanning`, `answers`, `glass` | a scan, its answer, and the verdict on the glass |
//! | `typing`, `counts`, `drill` | the short code; how fast it goes; practice |
//! | `kiosk` | the last ten, settings, the PIN |
//! | `notices`, `screen` | what else the person should know; the view |
//! | `lan` | from the messages of the LAN API to the view |
//!
//! Deliberately absent: any decision to admit. What an answer means at the door is
//! [`eventify_lan_client::OpenScan`]'s (`ADMISSION` 3.1 and 3.9).

mod acts;
mod answers;
mod choosing;
mod commands;
mod counts;
pub mod drill;
mod finding;
mod glass;
mod health;
mod ids;
mod kiosk;
mod lan;
mod link;
mod notices;
mod outbox;
mod pairing;
mod people;
mod reading;
mod scanning;
mod screen;
mod typing;
mod venue;

use std::time::Duration;

use eventify_protocol::time::BootTime;

use self::{
    acts::Acts, counts::Tally, drill::Drill, glass::Glass, health::Warning, ids::Ids,
    kiosk::Overlay, kiosk::PinState, link::Link, notices::Notices, outbox::Outbox,
    pairing::Pairing, people::Staff, scanning::Scans, typing::Typing,
};
use crate::{
    command::Command,
    io::{Input, Loaded, Now, Output, Paired, StoredPlace, Write},
    tones::Rhythm,
    view::{Device, NodeMode, Notice, PairProblem, Settings, Stored},
    wedge::{Assembler, assembler::Line},
};

/// See the module.
#[derive(Debug)]
pub struct Controller {
    stage: Stage,
    paired: Option<Paired>,
    place: Option<StoredPlace>,
    /// What the venue wants done while nobody decides, as the node last had it.
    procedure: Vec<String>,
    time_zone: Option<String>,
    /// Another gate is to be chosen.
    choosing: bool,
    link: Link,
    scans: Scans,
    acts: Acts,
    /// Scans are of guests who leave.
    exits: bool,
    staff: Staff,
    ids: Ids,
    glass: Glass,
    typing: Typing,
    counts: Tally,
    drill: Option<Drill>,
    overlay: Overlay,
    pin: PinState,
    settings: Settings,
    notices: Notices,
    devices: Vec<Device>,
    inputs: [KeySource; Source::ALL.len()],
    out: Outbox,
    /// The moment of the last input.
    seen: BootTime,
}

#[derive(Debug)]
enum Stage {
    Starting,
    Pair(Pairing),
    Working,
}

/// Where keys come from, each with an assembler of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Page,
    Window,
    Grabbed,
    Serial,
}

impl Source {
    const ALL: [Self; 4] = [Self::Page, Self::Window, Self::Grabbed, Self::Serial];

    fn line(self) -> Line {
        match self {
            Self::Page | Self::Window | Self::Grabbed => Line::Keyboard,
            Self::Serial => Line::Serial,
        }
    }
}

/// An assembler, and when its last key came here.
#[derive(Debug)]
struct KeySource {
    assembler: Assembler,
    last: BootTime,
}

impl Controller {
    /// An app that knows nothing yet; [`Input::Loaded`] comes first. `settings` count until others are
    /// stored.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let device = |line| KeySource {
            assembler: Assembler::new(line),
            last: BootTime::default(),
        };
        Self {
            stage: Stage::Starting,
            paired: None,
            place: None,
            procedure: Vec::new(),
            time_zone: None,
            choosing: false,
            link: Link::default(),
            scans: Scans::default(),
            acts: Acts::default(),
            exits: false,
            staff: Staff::default(),
            ids: Ids::default(),
            glass: Glass::default(),
            typing: Typing::default(),
            counts: Tally::default(),
            drill: None,
            overlay: Overlay::None,
            pin: PinState::None,
            settings,
            notices: Notices::default(),
            devices: Vec::new(),
            inputs: Source::ALL.map(|source| device(source.line())),
            out: Outbox::default(),
            seen: BootTime::default(),
        }
    }

    /// A fact.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Loaded(loaded) => self.load(*loaded, now),
            Input::Command(Command::Keys { strokes }) => self.keys(Source::Page, &strokes, now),
            Input::WindowKeys(strokes) => self.keys(Source::Window, &strokes, now),
            Input::GrabbedKeys(strokes) => self.keys(Source::Grabbed, &strokes, now),
            Input::SerialBytes { bytes, at_ms } => self.bytes(&bytes.0, at_ms, now),
            Input::Command(command) => {
                self.command(command, now);
                self.out.changed();
            }
            Input::Written(id, is_stored) => {
                if self.notices.not_stored == is_stored {
                    self.notices.not_stored = !is_stored;
                    self.out.changed();
                }
                self.on_scan_written(id);
                self.on_act_written(id);
            }
            Input::Answered(call, answer) => {
                self.answered(call, answer, now);
                self.out.changed();
            }
            Input::Event(call, event) => {
                self.link.on_event(call, event, now);
                self.out.changed();
            }
            Input::PinHashed(hash) => {
                self.on_pin_hashed(hash);
                self.out.changed();
            }
            Input::PinChecked(is_right) => {
                self.on_pin_checked(is_right, now);
                self.out.changed();
            }
            Input::Devices(devices) => self.on_devices(devices),
            Input::Sound(works) => {
                self.notices.no_sound = !works;
                self.out.changed();
            }
        }
        self.settle(now);
    }

    /// Time has passed: at [`Self::poll_timeout`], or at any other moment.
    pub fn handle_timeout(&mut self, now: Now) {
        for source in Source::ALL {
            let device = &mut self.inputs[source as usize];
            let passed = now.boot.since(device.last);
            let at = device.assembler.last_ms().wrapping_add(ms32(passed));
            let mut assembled = Vec::new();
            device.assembler.pass(at, &mut assembled);
            self.assembled(assembled, now);
        }
        self.out.changed();
        self.settle(now);
    }

    /// When [`Self::handle_timeout`] has to be called, if nothing comes before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        let keys = self.inputs.iter().filter_map(|device| {
            let wakes = device.assembler.wakes_after_ms()?;
            let at = device.last.plus(Duration::from_millis(u64::from(wakes)));
            // Another input may have come when it was due: that did nothing about keys.
            Some(at.max(self.seen))
        });
        let others = [
            self.link.next(),
            self.scans.next(self.glass.free_at(), self.seen),
            self.glass.next(self.seen),
            self.typing.next(),
            self.notices.next(),
            self.pin.next(),
            self.acts.next(self.seen),
            self.staff.next(),
            self.overlay.next(),
        ];
        // What else was due at the last input was done then.
        let others = others.into_iter().flatten().filter(|at| *at > self.seen);
        keys.chain(others).min()
    }

    /// What to do; none when all was taken.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.poll()
    }

    /// What follows by itself from what has changed, and from the time.
    fn settle(&mut self, now: Now) {
        self.seen = now.boot;
        let lists = matches!(&self.overlay, Overlay::People(flow) if flow.lists());
        let asks = matches!(self.overlay, Overlay::None) && self.must_sign_in();
        self.staff.show_list(lists || asks);
        self.staff.tick(now.boot);
        if matches!(self.stage, Stage::Working) || self.paired.is_some() {
            self.check_place(now);
            self.advance_scans(now);
            self.link.drive(now, &mut self.out);
            if self.link.has_access() {
                self.staff.drive(now.boot, &mut self.out);
            }
        }
        self.exits &= self.staff.is_on_shift();
        self.tick_flow(now.boot);
        self.tick_search(now.boot);
        self.tick_counts(now.boot);
        match self.link.health.warning(now) {
            Some(Warning::Locked) => self.play(Rhythm::Siren),
            Some(Warning::LocksSoon(left)) => {
                let in_ms = ms32(left);
                self.notices.pass(Notice::LocksSoon { in_ms }, now.boot);
            }
            None => {}
        }
        if self.link.health.mode(now.boot) != Some(NodeMode::Degraded) {
            self.notices.not_locking();
        }
        self.glass.tick(now.boot);
        self.typing.tick(now.boot);
        self.notices.tick(now.boot);
    }

    fn load(&mut self, loaded: Loaded, now: Now) {
        let is_damaged = |what| loaded.damaged.contains(&what);
        self.pin = PinState::loaded(loaded.pin, is_damaged(Stored::Pin), now);
        if let Some(settings) = loaded.settings.filter(Settings::is_valid) {
            self.settings = settings;
        }
        self.stage = match loaded.pairing {
            Some(paired) => {
                self.paired = Some(paired);
                self.place = loaded.place;
                self.procedure = loaded.procedure;
                self.time_zone = loaded.time_zone;
                self.link = Link::default();
                for old in self.scans.load(loaded.scans, now) {
                    self.out.write(Write::ScanClosed(old));
                }
                for old in self.acts.load(loaded.acts, now) {
                    self.out.write(Write::ActClosed(old));
                }
                Stage::Working
            }
            None if is_damaged(Stored::Pairing) => {
                Stage::Pair(Pairing::after(PairProblem::StoredDamaged))
            }
            None => Stage::Pair(Pairing::default()),
        };
        self.notices.lost(loaded.damaged);
        self.out.changed();
    }

    /// At the screen where tickets are scanned.
    fn is_scanning(&self) -> bool {
        matches!(self.stage, Stage::Working)
            && self.link.pair_again.is_none()
            && !self.must_choose()
            && !self.must_sign_in()
    }

    fn toggle_mute(&mut self) {
        let muted = !self.settings.muted;
        self.change_settings(Settings {
            muted,
            ..self.settings.clone()
        });
    }

    fn play(&mut self, rhythm: Rhythm) {
        let Settings { muted, volume, .. } = self.settings;
        if !muted && volume > 0 {
            self.out.push(Output::Play { rhythm, volume });
        }
    }

    fn vibrate(&mut self, rhythm: Rhythm) {
        let pattern = rhythm.vibration_ms();
        if !pattern.is_empty() {
            self.out.push(Output::Vibrate(pattern));
        }
    }
}

/// Whole milliseconds, as the window counts them.
fn ms32(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
