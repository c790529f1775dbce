//! An edge node and its states.

use chrono::{DateTime, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{GateId, NodeId, VenueId};
use eventify_protocol::sync::NodeEntry;
use eventify_protocol::text::{self, Unfit};

/// Longest label of a node and name of a gate, in characters.
pub(crate) const MAX_NAME_CHARS: usize = 80;

/// Most gates that one node decides for.
pub(crate) const MAX_GATES_PER_NODE: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) node_id: NodeId,
    pub(crate) venue_id: VenueId,
    pub(crate) label: String,
    pub(crate) gates: Vec<GateId>,
    pub(crate) version: i32,
    pub(crate) code_expires_at: DateTime<Utc>,
    pub(crate) state: NodeState,
}

/// An id is never used again: no state leads back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NodeState {
    /// Its code waits to be used.
    Announced,
    /// It has its certificate.
    Enrolled(Enrolment),
    /// It decides nothing any more. One that was revoked before it enrolled has no enrolment.
    Revoked {
        at: DateTime<Utc>,
        enrolment: Option<Enrolment>,
    },
}

/// A completed enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Enrolment {
    /// SHA-256 over the SubjectPublicKeyInfo that used the code.
    pub(crate) key_hash: Hash32,
    /// PEM, leaf first.
    pub(crate) certificate_chain: String,
    pub(crate) certificate_expires_at: DateTime<Utc>,
    /// An expired certificate can be renewed until then.
    pub(crate) renewal_allowed_until: Option<DateTime<Utc>>,
    pub(crate) at: DateTime<Utc>,
}

/// What the use of a code requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim<'a> {
    /// The first use: a certificate is to be signed.
    Enrol,
    /// The same key again, because the first answer was lost: the same certificate.
    Repeat { certificate_chain: &'a str },
}

/// Why a code was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClaimRefused {
    #[error("this enrolment code has expired; make a new one in the console")]
    Expired,
    #[error("this enrolment code has been used; make a new one in the console")]
    Used,
    #[error("this node has been revoked; enrol it anew with a new code")]
    Revoked,
}

impl Node {
    /// Whether a key may use this node's code now.
    pub(crate) fn claim(
        &self,
        key_hash: Hash32,
        now: DateTime<Utc>,
    ) -> Result<Claim<'_>, ClaimRefused> {
        let in_time = now < self.code_expires_at;
        match &self.state {
            NodeState::Revoked { .. } => Err(ClaimRefused::Revoked),
            NodeState::Announced if in_time => Ok(Claim::Enrol),
            NodeState::Announced => Err(ClaimRefused::Expired),
            NodeState::Enrolled(first) if in_time && first.key_hash == key_hash => {
                Ok(Claim::Repeat {
                    certificate_chain: &first.certificate_chain,
                })
            }
            NodeState::Enrolled(_) => Err(ClaimRefused::Used),
        }
    }

    /// Whether the broker lets it in and the core answers it.
    pub(crate) fn is_enrolled(&self) -> bool {
        matches!(self.state, NodeState::Enrolled(_))
    }

    pub(crate) fn is_revoked(&self) -> bool {
        matches!(self.state, NodeState::Revoked { .. })
    }

    /// The state's name in JSON.
    pub(crate) fn status(&self) -> &'static str {
        match self.state {
            NodeState::Announced => "announced",
            NodeState::Enrolled(_) => "enrolled",
            NodeState::Revoked { .. } => "revoked",
        }
    }

    /// Its value in the venue's feed; an announced node is not listed yet.
    pub(crate) fn entry(&self) -> Option<NodeEntry> {
        match self.state {
            NodeState::Announced => None,
            NodeState::Enrolled(_) | NodeState::Revoked { .. } => Some(NodeEntry {
                label: self.label.clone(),
                gates: self.gates.clone(),
                revoked: self.is_revoked(),
            }),
        }
    }
}

/// A label or name as it is stored.
pub(crate) fn clean_name(text: &str) -> Result<String, Unfit> {
    text::line(text, 1..=MAX_NAME_CHARS)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    const KEY: Hash32 = Hash32([1; 32]);
    const OTHER_KEY: Hash32 = Hash32([2; 32]);

    fn node(state: NodeState) -> Node {
        Node {
            node_id: NodeId(Uuid::nil()),
            venue_id: VenueId(Uuid::nil()),
            label: "North door".to_owned(),
            gates: Vec::new(),
            version: 1,
            code_expires_at: DateTime::UNIX_EPOCH + TimeDelta::minutes(15),
            state,
        }
    }

    fn enrolled() -> NodeState {
        NodeState::Enrolled(Enrolment {
            key_hash: KEY,
            certificate_chain: "PEM".to_owned(),
            certificate_expires_at: DateTime::UNIX_EPOCH + TimeDelta::days(90),
            renewal_allowed_until: None,
            at: DateTime::UNIX_EPOCH,
        })
    }

    #[test]
    fn a_code_serves_one_key_and_that_key_again_while_it_lasts() {
        let early = DateTime::UNIX_EPOCH + TimeDelta::minutes(14);
        let late = DateTime::UNIX_EPOCH + TimeDelta::minutes(15);
        assert_eq!(
            node(NodeState::Announced).claim(KEY, early),
            Ok(Claim::Enrol)
        );
        assert_eq!(
            node(NodeState::Announced).claim(KEY, late),
            Err(ClaimRefused::Expired)
        );
        let node = node(enrolled());
        assert_eq!(
            node.claim(KEY, early),
            Ok(Claim::Repeat {
                certificate_chain: "PEM"
            })
        );
        assert_eq!(node.claim(OTHER_KEY, early), Err(ClaimRefused::Used));
        assert_eq!(node.claim(KEY, late), Err(ClaimRefused::Used));
    }

    #[test]
    fn a_revoked_node_gets_nothing_and_stays_listed_as_revoked() {
        let revoked = |enrolment| {
            node(NodeState::Revoked {
                at: DateTime::UNIX_EPOCH,
                enrolment,
            })
        };
        let node = revoked(None);
        assert_eq!(
            node.claim(KEY, DateTime::UNIX_EPOCH),
            Err(ClaimRefused::Revoked)
        );
        assert!(node.entry().is_some_and(|entry| entry.revoked));
    }

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(clean_name("  Gate  1 ").as_deref(), Ok("Gate 1"));
        assert!(clean_name(" \n ").is_err());
        assert!(clean_name("a\u{7}b").is_err());
        assert!(clean_name(&"x".repeat(MAX_NAME_CHARS + 1)).is_err());
    }
}
