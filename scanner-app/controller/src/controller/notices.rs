use std::time::Duration;

use eventify_protocol::time::BootTime;

use crate::view::{Notice, Stored};

/// How long a notice about something that has passed stays.
const STAYS: Duration = Duration::from_secs(4);
/// What the whole gate should read.
const STAYS_LONG: Duration = Duration::from_secs(10);

/// What the person should know besides.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Something has happened; with the end of the notice.
    passing: Vec<(Notice, BootTime)>,
    /// The machine is so.
    pub(super) no_sound: bool,
    pub(super) not_stored: bool,
    pub(super) gone: Vec<String>,
    lost: Vec<Stored>,
}

impl Notices {
    pub(super) fn pass(&mut self, notice: Notice, now: BootTime) {
        let stays = match notice {
            Notice::LocksSoon { .. } | Notice::CapsLock => STAYS_LONG,
            Notice::HalfCode
            | Notice::QueueFull
            | Notice::OtherCode
            | Notice::GateFirst
            | Notice::SignInFirst
            | Notice::NeedsCore
            | Notice::ShiftNotEnded
            | Notice::StoredLost { .. }
            | Notice::DeviceGone { .. }
            | Notice::NoSound
            | Notice::NotStored => STAYS,
        };
        let same = std::mem::discriminant(&notice);
        self.passing
            .retain(|(other, _)| std::mem::discriminant(other) != same);
        self.passing.push((notice, now.plus(stays)));
    }

    /// A code came: what was to be scanned again was.
    pub(super) fn code_came(&mut self) {
        self.passing.retain(|(notice, _)| {
            !matches!(
                notice,
                Notice::HalfCode
                    | Notice::QueueFull
                    | Notice::OtherCode
                    | Notice::GateFirst
                    | Notice::SignInFirst
            )
        });
    }

    /// The node does not count down any more.
    pub(super) fn not_locking(&mut self) {
        self.passing
            .retain(|(notice, _)| !matches!(notice, Notice::LocksSoon { .. }));
    }

    pub(super) fn lost(&mut self, stored: Vec<Stored>) {
        self.lost.extend(stored);
    }

    /// The person has read them.
    pub(super) fn dismiss(&mut self) {
        self.passing.clear();
        self.lost.clear();
    }

    /// Whether one has ended.
    pub(super) fn tick(&mut self, now: BootTime) -> bool {
        let before = self.passing.len();
        self.passing.retain(|(_, until)| *until > now);
        before != self.passing.len()
    }

    pub(super) fn next(&self) -> Option<BootTime> {
        self.passing.iter().map(|(_, until)| *until).min()
    }

    /// The most important first.
    pub(super) fn view(&self) -> Vec<Notice> {
        let passing = |soon: bool| {
            let wanted = move |notice: &&Notice| matches!(notice, Notice::LocksSoon { .. }) == soon;
            self.passing.iter().map(|(notice, _)| notice).filter(wanted)
        };
        let mut notices: Vec<Notice> = passing(true).cloned().collect();
        if self.not_stored {
            notices.push(Notice::NotStored);
        }
        notices.extend(passing(false).cloned());
        let gone = self.gone.iter().cloned();
        notices.extend(gone.map(|device| Notice::DeviceGone { device }));
        notices.extend(
            self.lost
                .iter()
                .map(|what| Notice::StoredLost { what: *what }),
        );
        if self.no_sound {
            notices.push(Notice::NoSound);
        }
        notices
    }
}
