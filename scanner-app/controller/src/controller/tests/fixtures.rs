//! What a node says.

use super::*;

/// A venue without staff.
pub(super) fn nobody() -> People {
    People {
        people: Vec::new(),
        shift_needed: false,
        online: true,
    }
}

pub(super) fn answer(scan_id: ScanId, verdict: Verdict) -> ScanAnswer {
    ScanAnswer {
        scan_id,
        verdict,
        ticket: None,
        first_gate_name: Some("North".to_owned()),
        first_ago_ms: Some(60_000),
        read_again_ms: None,
        admitting_gates: Vec::new(),
        mode: Mode::Online,
        cache_age_ms: None,
        max_cache_age_ms: 300_000,
        decided_by: DecidedBy::Core,
        repeated: false,
    }
}

pub(super) fn used(confirmed: bool) -> Verdict {
    Verdict::AlreadyUsed {
        first: FirstEntry {
            gate: gate_id(1),
            at: CoreTime(i64::try_from((START_MS - 60_000) * 1_000).unwrap()),
            confirmed,
        },
    }
}

pub(super) fn no_answer() -> ClientError {
    // The only error of this type that can be made without a network.
    let error = reqwest::Client::builder().user_agent("\n").build();
    ClientError::NoAnswer(error.unwrap_err())
}

pub(super) fn refused(status: u16, code: &str, retry_after: Option<Duration>) -> ClientError {
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

pub(super) fn status(gates: &[u128]) -> Answer {
    Answer::Status(Ok(Box::new(node_status(gates))))
}

pub(super) fn node_status(gates: &[u128]) -> NodeStatus {
    let gate = |number: &u128| GateStatus {
        gate_id: gate_id(*number),
        name: format!("Gate {number}"),
        admitted: 3,
        refused: 1,
        unreadable: 0,
        left: 0,
    };
    NodeStatus {
        node_id: NodeId(Uuid::nil()),
        venue_id: VenueId(Uuid::nil()),
        software: String::new(),
        mode: Mode::Online,
        reason: None,
        cache_age_ms: None,
        max_cache_age_ms: 300_000,
        replica: ReplicaStatus {
            epoch: None,
            position: Position(0),
            head: Position(0),
            digest: None,
            tickets: 0,
        },
        journal: JournalStatus {
            head: JournalHead {
                incarnation: Uuid::nil().into(),
                seq: 0,
                hash: eventify_protocol::hash::Hash32::ZERO,
            },
            unacknowledged: 0,
            fault: None,
        },
        core_time: None,
        gates: gates.iter().map(gate).collect(),
        performances: Vec::new(),
        procedure: Vec::new(),
        time_zone: None,
    }
}

pub(super) fn kept(number: u128, token: &str, age_ms: u64) -> KeptScan {
    KeptScan {
        scan_id: ScanId(Uuid::from_u128(number)),
        gate_id: gate_id(1),
        token: token.to_owned(),
        triggered_at_ms: START_MS - age_ms,
    }
}
