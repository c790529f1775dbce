//! Which of several living processes with one identity is the node (`ADMISSION` 4.7).
//!
//! Each start of a node is a session. A restart is a new one, and nothing is heard of the old one
//! again. If something is, by a message that was certainly sent after the new one was first heard, both
//! live: the elder goes on, because it stands at its gate, and the younger is a copy that was switched
//! on.

use eventify_protocol::{ids::SessionId, time::CoreTime};

/// A session of a node, as the core has heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub first_heard: CoreTime,
    /// It lived beside an elder one.
    pub is_duplicate: bool,
}

/// What a `Hello` says about sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The first of its session.
    New,
    /// The node's session, or one that proves nothing about the younger ones.
    Current,
    /// It lives beside these younger ones, which are duplicates from now on.
    Elder(Vec<SessionId>),
    /// It is to stop.
    Duplicate,
}

/// Compares a `Hello` with the sessions heard before, eldest first. `sent_after` is what the node can
/// prove about the time of sending: a message that was held up on its way proves nothing.
#[must_use]
pub fn hear(sessions: &[Session], id: SessionId, sent_after: Option<CoreTime>) -> Heard {
    let Some(index) = sessions.iter().position(|session| session.id == id) else {
        return Heard::New;
    };
    if sessions[index].is_duplicate {
        return Heard::Duplicate;
    }
    let younger = sessions[index + 1..].iter();
    let beside = younger
        .filter(|session| !session.is_duplicate)
        .filter(|session| sent_after.is_some_and(|sent| sent > session.first_heard))
        .map(|session| session.id);
    let beside: Vec<SessionId> = beside.collect();
    if beside.is_empty() {
        Heard::Current
    } else {
        Heard::Elder(beside)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ELDER: SessionId = SessionId(Uuid::from_u128(1));
    const YOUNGER: SessionId = SessionId(Uuid::from_u128(2));

    fn both(is_duplicate: bool) -> [Session; 2] {
        let session = |id, at, is_duplicate| Session {
            id,
            first_heard: CoreTime(at),
            is_duplicate,
        };
        [
            session(ELDER, 100, false),
            session(YOUNGER, 200, is_duplicate),
        ]
    }

    #[test]
    fn a_restart_is_no_duplicate() {
        let sessions = both(false);
        assert_eq!(hear(&sessions[..1], YOUNGER, None), Heard::New);
        assert_eq!(
            hear(&sessions, YOUNGER, Some(CoreTime(300))),
            Heard::Current
        );
    }

    #[test]
    fn a_message_that_was_held_up_proves_no_second_life() {
        for sent_after in [None, Some(CoreTime(150)), Some(CoreTime(200))] {
            assert_eq!(hear(&both(false), ELDER, sent_after), Heard::Current);
        }
    }

    /// C10: both went on, threw each other out every few seconds, and nobody was told.
    #[test]
    fn of_two_that_live_the_elder_goes_on() {
        let sent = Some(CoreTime(201));
        assert_eq!(hear(&both(false), ELDER, sent), Heard::Elder(vec![YOUNGER]));
        assert_eq!(hear(&both(true), YOUNGER, sent), Heard::Duplicate);
        assert_eq!(hear(&both(true), ELDER, sent), Heard::Current);
    }
}
