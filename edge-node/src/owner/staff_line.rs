//! How sign-ins of staff go between the LAN API and the connection to the core. The owner only hands them on.

use eventify_protocol::sync::{StaffAnswer, StaffAsk};
use tokio::sync::mpsc;

/// With more under way some are lost, and asked again.
const CAPACITY: usize = 32;

/// The LAN API's ends.
#[derive(Debug)]
pub(crate) struct StaffLine {
    pub(crate) asks: mpsc::Sender<StaffAsk>,
    pub(crate) answers: mpsc::Receiver<StaffAnswer>,
}

/// The owner's ends.
#[derive(Debug)]
pub(crate) struct OwnersStaffLine {
    pub(super) asks: mpsc::Receiver<StaffAsk>,
    answers: mpsc::Sender<StaffAnswer>,
}

pub(crate) fn staff_line() -> (OwnersStaffLine, StaffLine) {
    let (asks, from_lan) = mpsc::channel(CAPACITY);
    let (to_lan, answers) = mpsc::channel(CAPACITY);
    (
        OwnersStaffLine {
            asks: from_lan,
            answers: to_lan,
        },
        StaffLine { asks, answers },
    )
}

impl OwnersStaffLine {
    pub(super) fn notify(&self, answer: StaffAnswer) {
        // One that finds no room is asked for again.
        drop(self.answers.try_send(answer));
    }
}
