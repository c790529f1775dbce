use std::time::Duration;

use eventify_protocol::{
    lan::{ScanAnswer, ScanRequest},
    time::BootTime,
    verdict::{DecidedBy, Verdict},
};

use crate::{ClientError, Refusal};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// One scan from its trigger until a final verdict was shown (`ADMISSION` 3.1 and 3.9).
///
/// Make its id (UUID version 7) and this value at the trigger, send [`OpenScan::request`] as it is,
/// as often as [`OpenScan::next`] returns [`Step::Retry`], and keep it until the verdict on the screen
/// is final. If the same ticket is scanned at the same gate before that, continue this scan.
///
/// Times are readings of the scanner's own clock, one that counts suspend and can't be set.
#[derive(Clone, Debug)]
pub struct OpenScan {
    request: ScanRequest,
    triggered: BootTime,
    attempts: Attempts,
}

/// How often the same request was sent, and what a failure of it means. For everything that is sent again
/// until there is an answer.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    count: u32,
    /// The last answer was that the access token has ended.
    renewed: bool,
}

/// What to do after a failed attempt.
#[derive(Debug)]
pub enum AfterFailure {
    /// Send the same request again after the pause.
    Retry {
        /// How long to wait.
        pause: Duration,
        /// Why there is no answer yet.
        error: ClientError,
    },
    /// Renew the access token, then send the same request again.
    RenewAccess,
    /// The same request would fail again.
    GiveUp(ClientError),
}

impl Attempts {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// There was an answer.
    pub fn answered(&mut self) {
        self.count = self.count.saturating_add(1);
        self.renewed = false;
    }

    /// There was none, or a refusal.
    pub fn failed(&mut self, error: ClientError) -> AfterFailure {
        let backoff = FIRST_PAUSE
            .saturating_mul(1 << self.count.min(8))
            .min(MAX_PAUSE);
        self.count = self.count.saturating_add(1);
        let renewed = std::mem::take(&mut self.renewed);
        match error {
            ClientError::Refused(refusal) if is_access_ended(&refusal) && !renewed => {
                self.renewed = true;
                AfterFailure::RenewAccess
            }
            ClientError::Refused(refusal) if is_temporary(&refusal) => AfterFailure::Retry {
                pause: refusal.retry_after.unwrap_or(backoff),
                error: ClientError::Refused(refusal),
            },
            error @ ClientError::NoAnswer(_) => AfterFailure::Retry {
                pause: backoff,
                error,
            },
            error @ (ClientError::Refused(_)
            | ClientError::Setup(_)
            | ClientError::WrongKey
            | ClientError::Malformed { .. }) => AfterFailure::GiveUp(error),
        }
    }
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Show the answer.
    Show {
        /// As the node gave it.
        answer: ScanAnswer,
        /// How to show it.
        light: Light,
    },
    /// Send the same request again after the pause.
    Retry {
        /// How long to wait.
        pause: Duration,
        /// Why there is no answer yet.
        error: ClientError,
    },
    /// Renew the access token, then send the same request again.
    RenewAccess,
    /// The same request would fail again. The scan has no verdict.
    GiveUp(ClientError),
}

/// What an answer means at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// Let the guest in.
    Green,
    /// Do not let the guest in. The verdict is final.
    Red,
    /// Not decided. Keep the scan, and use it when the same ticket is scanned again.
    Undecided,
    /// Admitted, but the data behind it was too old when the answer came: do not show green.
    Late,
}

impl OpenScan {
    /// A scan that was triggered now.
    #[must_use]
    pub fn new(request: ScanRequest, now: BootTime) -> Self {
        Self {
            request,
            triggered: now,
            attempts: Attempts::default(),
        }
    }

    /// What to send.
    #[must_use]
    pub fn request(&self) -> &ScanRequest {
        &self.request
    }

    /// Results so far.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.attempts.count
    }

    /// Time since the trigger.
    #[must_use]
    pub fn age(&self, now: BootTime) -> Duration {
        now.since(self.triggered)
    }

    /// Takes the result of sending the request.
    pub fn next(&mut self, result: Result<ScanAnswer, ClientError>, now: BootTime) -> Step {
        match result {
            Ok(answer) => {
                self.attempts.answered();
                let light = light(&answer, self.age(now));
                Step::Show { answer, light }
            }
            Err(error) => match self.attempts.failed(error) {
                AfterFailure::Retry { pause, error } => Step::Retry { pause, error },
                AfterFailure::RenewAccess => Step::RenewAccess,
                AfterFailure::GiveUp(error) => Step::GiveUp(error),
            },
        }
    }
}

fn is_access_ended(refusal: &Refusal) -> bool {
    refusal.error.code == "token_expired"
}

/// The node is busy, stopping or slow, or has failed, or this scanner was too fast.
fn is_temporary(refusal: &Refusal) -> bool {
    refusal.status >= 500 || matches!(refusal.status, 408 | 429)
}

/// `since_trigger` counts as age: the answer may have been on its way for long.
fn light(answer: &ScanAnswer, since_trigger: Duration) -> Light {
    if !answer.verdict.is_final() {
        return Light::Undecided;
    }
    if answer.verdict != Verdict::Admit {
        return Light::Red;
    }
    let age = match (answer.cache_age_ms, answer.decided_by) {
        (Some(age), _) => Duration::from_millis(age),
        (None, DecidedBy::Core) => Duration::ZERO,
        (None, DecidedBy::Edge) => return Light::Late,
    };
    if age.saturating_add(since_trigger) <= Duration::from_millis(answer.max_cache_age_ms) {
        Light::Green
    } else {
        Light::Late
    }
}

#[cfg(test)]
mod tests {
    use eventify_protocol::{
        error::ErrorDetail,
        ids::{CorrelationId, GateId, ScanId},
        verdict::Mode,
    };
    use uuid::Uuid;

    use super::*;

    const TRIGGER: BootTime = BootTime(5_000_000_000);

    fn open_scan() -> OpenScan {
        let request = ScanRequest {
            scan_id: ScanId(Uuid::from_u128(1)),
            gate_id: GateId(Uuid::from_u128(2)),
            token: "EV1:".to_owned(),
        };
        OpenScan::new(request, TRIGGER)
    }

    fn answer(verdict: Verdict, cache_age_ms: Option<u64>, decided_by: DecidedBy) -> ScanAnswer {
        ScanAnswer {
            scan_id: ScanId(Uuid::from_u128(1)),
            verdict,
            ticket: None,
            first_gate_name: None,
            first_ago_ms: None,
            read_again_ms: None,
            admitting_gates: Vec::new(),
            mode: Mode::Degraded,
            cache_age_ms,
            max_cache_age_ms: 300_000,
            decided_by,
            repeated: false,
        }
    }

    fn refused(status: u16, code: &str, retry_after: Option<Duration>) -> ClientError {
        ClientError::Refused(Refusal {
            status,
            error: ErrorDetail {
                code: code.to_owned(),
                message: String::new(),
                details: Vec::new(),
                correlation_id: CorrelationId(Uuid::nil()),
            },
            retry_after,
        })
    }

    #[test]
    fn green_needs_an_admission_whose_age_and_way_are_within_the_limit() {
        let after = |answer: ScanAnswer, passed: u64| {
            let now = TRIGGER.plus(Duration::from_millis(passed));
            let step = open_scan().next(Ok(answer), now);
            let Step::Show { light, .. } = step else {
                panic!("{step:?}")
            };
            light
        };
        let edge = |verdict, age| answer(verdict, age, DecidedBy::Edge);
        assert_eq!(
            after(edge(Verdict::Admit, Some(299_000)), 1_000),
            Light::Green
        );
        assert_eq!(
            after(edge(Verdict::Admit, Some(299_000)), 1_001),
            Light::Late
        );
        assert_eq!(after(edge(Verdict::Admit, None), 0), Light::Late);
        let core = answer(Verdict::Admit, None, DecidedBy::Core);
        assert_eq!(after(core.clone(), 300_000), Light::Green);
        assert_eq!(after(core, 300_001), Light::Late);
        assert_eq!(after(edge(Verdict::Revoked, Some(0)), 0), Light::Red);
        assert_eq!(
            after(edge(Verdict::ResyncRequired, None), 0),
            Light::Undecided
        );
    }

    #[test]
    fn an_ended_access_token_is_renewed_once_in_a_row() {
        let mut scan = open_scan();
        let expired = || Err(refused(401, "token_expired", None));
        assert!(matches!(scan.next(expired(), TRIGGER), Step::RenewAccess));
        assert!(matches!(scan.next(expired(), TRIGGER), Step::GiveUp(_)));
    }

    #[test]
    fn a_busy_node_gets_retries_when_it_says_and_else_with_growing_pauses() {
        let mut scan = open_scan();
        let mut pause = |retry_after| {
            let step = scan.next(Err(refused(503, "busy", retry_after)), TRIGGER);
            let Step::Retry { pause, .. } = step else {
                panic!("{step:?}")
            };
            pause.as_millis()
        };
        assert_eq!(pause(Some(Duration::from_secs(1))), 1_000);
        let pauses: Vec<_> = (0..6).map(|_| pause(None)).collect();
        assert_eq!(pauses, [200, 400, 800, 1_600, 2_000, 2_000]);
        assert_eq!(scan.tries(), 7);
        let second = Some(Duration::from_secs(1));
        let step = scan.next(Err(refused(429, "too_many_requests", second)), TRIGGER);
        assert!(matches!(step, Step::Retry { pause, .. } if Some(pause) == second));
    }

    #[test]
    fn what_can_not_succeed_is_given_up() {
        for error in [
            refused(409, "scan_id_conflict", None),
            refused(403, "gate_not_allowed", None),
            ClientError::WrongKey,
        ] {
            assert!(matches!(
                open_scan().next(Err(error), TRIGGER),
                Step::GiveUp(_)
            ));
        }
    }
}
