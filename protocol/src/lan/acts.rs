//! What people do at a gate beside scanning: a supervisor's acts, exits, a change of gate.

use minicbor::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ShownTicket;
use crate::{
    ids::{ActId, GateId, PersonId, ScanId},
    time::CoreTime,
    verdict::Mode,
};

/// Longest note to a reason.
pub const MAX_NOTE_CHARS: usize = 120;

/// How long after an admission it can be undone.
pub const UNDO_MS: u64 = 60_000;

/// How long after a refusal it can be overridden: then the guest is no longer at the door.
pub const OVERRIDE_MS: u64 = 300_000;

/// `POST /v1/acts`, answered by [`ActAnswer`]. The same act sent again is answered the same.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActRequest {
    /// Made when the person pressed the key, and used until there is an answer.
    pub act_id: ActId,
    /// Where.
    pub gate_id: GateId,
    pub act: Act,
    /// Why; an exit has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// A colleague's word ([`super::Authorisation`]); without it the act is that of whoever is on shift here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorisation: Option<String>,
}

/// What is done.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Act {
    /// Let in whom this scan refused as `AlreadyUsed` or `NotYet`, within [`OVERRIDE_MS`]. A supervisor's.
    Override { scan_id: ScanId },
    /// Whom this scan let in did not go in: within [`UNDO_MS`], and only the newest admission of this scanner.
    /// A supervisor's.
    Undo { scan_id: ScanId },
    /// The guest leaves and may come back, where the performance allows that. Anybody's on shift; only while the
    /// core decides.
    Exit {
        /// The text that was scanned, or the ticket's short code.
        token: String,
    },
    /// The scanner goes on at the request's gate. A supervisor's.
    ChangeGate,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cbor(array)]
pub struct Reason {
    /// Of a closed list, so that reports can count.
    #[n(0)]
    pub code: ReasonCode,
    /// In words, at most [`MAX_NOTE_CHARS`]; needed beside [`ReasonCode::Other`]. Not for names.
    #[n(1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// See [`Reason::code`].
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum ReasonCode {
    /// The guest is known not to be inside: nobody confirmed the first entry, or it was not theirs.
    #[n(0)]
    NotInside,
    /// The guest was inside and went out where nobody scans.
    #[n(1)]
    LeftWithoutScan,
    /// The wrong ticket was scanned.
    #[n(2)]
    WrongTicket,
    /// The guest stays outside.
    #[n(3)]
    StaysOutside,
    /// Let in before the doors, as agreed: artists, children, wheelchairs.
    #[n(4)]
    EarlyEntry,
    /// Another gate needs hands.
    #[n(5)]
    MoreHands,
    /// See the note.
    #[n(6)]
    Other,
}

/// What became of an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActAnswer {
    pub act_id: ActId,
    /// Who did it.
    pub person_id: PersonId,
    /// By the node's estimate of the core's clock.
    pub at: Option<CoreTime>,
    pub mode: Mode,
    /// Whom it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<ShownTicket>,
    /// The same act was answered before.
    pub repeated: bool,
    /// How many more acts that need a reason this person has within the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_this_hour: Option<u32>,
}

crate::debug_without_secrets! {
    ActRequest { act_id, gate_id, act, reason },
}

/// Without the token: whoever has it can use the ticket.
impl std::fmt::Debug for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Override { scan_id } => write!(f, "Override({scan_id})"),
            Self::Undo { scan_id } => write!(f, "Undo({scan_id})"),
            Self::Exit { token: _ } => f.write_str("Exit"),
            Self::ChangeGate => f.write_str("ChangeGate"),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_act_is_written_with_its_kind_and_one_with_odd_members_is_refused() {
        let id = "0192f7a0-0000-7000-8000-000000000001";
        let text = format!(
            r#"{{"actId":"{id}","gateId":"{id}","act":{{"kind":"undo","scanId":"{id}"}},"reason":{{"code":"staysOutside"}}}}"#
        );
        let act: ActRequest = serde_json::from_str(&text).expect("it is an act");
        assert_eq!(serde_json::to_string(&act).expect("it is JSON"), text);
        let odd = text.replace(r#""kind":"undo""#, r#""kind":"undo","dryRun":true"#);
        assert!(serde_json::from_str::<ActRequest>(&odd).is_err());
    }

    #[test]
    fn neither_token_nor_authorisation_is_printed() {
        let exit = Act::Exit {
            token: "EV1:SECRET".to_owned(),
        };
        let id = Uuid::from_u128(7);
        let request = ActRequest {
            act_id: ActId(id),
            gate_id: GateId(id),
            act: exit.clone(),
            reason: None,
            authorisation: Some("SECRET".to_owned()),
        };
        let printed = format!("{request:?} {exit:?}");
        assert!(!printed.contains("SECRET"), "{printed}");
        assert!(printed.contains(&id.to_string()), "which one it is");
    }
}
