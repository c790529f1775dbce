//! Calls about people and their answers: sign-in, shifts, acts, searches, counts.

use eventify_lan_client::ClientError;
use eventify_protocol::{
    ids::{ActId, GateId, SignInId},
    lan::{
        Act, ActAnswer, ActRequest, Authorisation, AuthorisationRequest, People, PinRequest,
        Reason, SearchAnswer, SearchRequest, Shift, ShiftRequest, SignIn, SignInState, VenueCounts,
    },
};
use serde::{Deserialize, Serialize};

/// A call of the node.
#[derive(Debug)]
pub enum PeopleCall {
    List,
    BeginSignIn,
    SignInState(SignInId),
    SetPin(PinRequest),
    BeginShift(ShiftRequest),
    CurrentShift,
    EndShift,
    Authorise(AuthorisationRequest),
    Act(Box<ActRequest>),
    Search(Box<SearchRequest>),
    Counts,
}

/// Its answer.
#[derive(Debug)]
pub enum PeopleAnswer {
    Listed(Result<People, ClientError>),
    SignInBegun(Result<SignIn, ClientError>),
    SignInState(Result<SignInState, ClientError>),
    PinSet(Result<(), ClientError>),
    ShiftBegun(Result<Shift, ClientError>),
    /// None: nobody is on shift.
    CurrentShift(Result<Option<Shift>, ClientError>),
    ShiftEnded(Result<(), ClientError>),
    Authorised(Result<Authorisation, ClientError>),
    Acted(Result<Box<ActAnswer>, ClientError>),
    Found(Result<Box<SearchAnswer>, ClientError>),
    Counted(Result<Box<VenueCounts>, ClientError>),
}

impl PeopleAnswer {
    /// Why there is none.
    #[must_use]
    pub fn error(&self) -> Option<&ClientError> {
        match self {
            Self::Listed(result) => result.as_ref().err(),
            Self::SignInBegun(result) => result.as_ref().err(),
            Self::SignInState(result) => result.as_ref().err(),
            Self::PinSet(result) | Self::ShiftEnded(result) => result.as_ref().err(),
            Self::ShiftBegun(result) => result.as_ref().err(),
            Self::CurrentShift(result) => result.as_ref().err(),
            Self::Authorised(result) => result.as_ref().err(),
            Self::Acted(result) => result.as_ref().err(),
            Self::Found(result) => result.as_ref().err(),
            Self::Counted(result) => result.as_ref().err(),
        }
    }
}

/// An act without an answer, as it is on the disk. A colleague's word is in it: it is good for some
/// minutes, and for this scanner's key alone, which lies beside it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptAct {
    pub act_id: ActId,
    pub gate_id: GateId,
    pub act: Act,
    pub reason: Option<Reason>,
    pub authorisation: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub pressed_at_ms: u64,
}

/// Without token and authorisation: both are secrets.
impl std::fmt::Debug for KeptAct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptAct")
            .field("act_id", &self.act_id)
            .finish_non_exhaustive()
    }
}

impl KeptAct {
    #[must_use]
    pub fn request(&self) -> ActRequest {
        ActRequest {
            act_id: self.act_id,
            gate_id: self.gate_id,
            act: self.act.clone(),
            reason: self.reason.clone(),
            authorisation: self.authorisation.clone(),
        }
    }
}
