//! The one question before the doors open: would a guest with a good ticket get in here, now?

use eventify_protocol::{
    lan::{JournalFault, NodeStatus},
    sync::PerformanceState,
    time::CoreTime,
    verdict::Mode,
};

use super::Finding;

const SUBJECT: &str = "guests";

/// Of the whole, and not of a part: each part may be well and nobody gets in all the same.
pub(super) fn finding(status: Option<&NodeStatus>, paired: usize) -> Finding {
    let Some(status) = status else {
        return no("the node does not run: `systemctl start eventify-edge`");
    };
    match status.journal.fault {
        Some(JournalFault::NoSpace) => return no("the journal has no room: see the line `space`"),
        Some(JournalFault::Held) => {
            return no("another program holds the journal: see the line `files`");
        }
        None => {}
    }
    if status.mode == Mode::Locked {
        return no("it is locked: see the line `mode`");
    }
    if status.gates.is_empty() {
        return no("no gate is this node's: give it one at the core (`PUT /fleet/nodes/{nodeId}`)");
    }
    if paired == 0 {
        return no("no scanner is paired: `eventify-edge pair` pairs one");
    }
    let mut shows = status.performances.iter();
    let Some(show) = shows.find(|show| show.state == PerformanceState::Scheduled) else {
        return Finding::warn(
            SUBJECT,
            "scans are decided, and no show of the next day admits at these gates: if there is one, its venue has not \
             confirmed it, or the gates' list at the core lacks it",
        );
    };
    let doors = CoreTime(show.doors_at.saturating_mul(1_000_000)).to_datetime();
    let doors = doors.map_or_else(String::new, |at| at.to_string());
    let alone = if status.mode == Mode::Degraded {
        "this node decides alone, see the line `mode`; "
    } else {
        ""
    };
    let text = format!(
        "{alone}who has a good ticket gets in: {}, doors {doors}",
        show.title
    );
    match status.mode {
        Mode::Degraded => Finding::warn(SUBJECT, text),
        Mode::Online | Mode::Resyncing | Mode::Locked => Finding::ok(SUBJECT, text),
    }
}

fn no(why: &str) -> Finding {
    Finding::fail(SUBJECT, format!("nobody gets in here: {why}"))
}
