use eventify_protocol::{
    ids::{GateId, PerformanceId},
    time::CoreTime,
    token::Parsed,
    verdict::{FirstEntry, Verdict},
};

const PREFIX: &str = "MOCK:";

/// What may stand behind `MOCK:`; `ADMIT` also with anything behind it, for many tickets.
pub const WORDS: [&str; 13] = [
    "ADMIT",
    "USED",
    "UNCONFIRMED",
    "REVOKED",
    "NOT-HERE",
    "NOT-YET",
    "EXPIRED",
    "UNREADABLE",
    "FORGED",
    "UNKNOWN",
    "RESYNC",
    "TRY-AGAIN",
    "FAULT",
];

/// What a text is answered with.
pub(crate) fn verdict(
    text: &str,
    gate: GateId,
    performance: PerformanceId,
    now: CoreTime,
) -> Verdict {
    let hour = 3_600;
    let seconds = now.unix_seconds();
    let used = |confirmed| Verdict::AlreadyUsed {
        first: FirstEntry {
            gate,
            at: now.minus(std::time::Duration::from_secs(720)),
            confirmed,
        },
    };
    match text.strip_prefix(PREFIX) {
        Some(word) if word.starts_with("ADMIT") => Verdict::Admit,
        Some("USED") => used(true),
        Some("UNCONFIRMED") => used(false),
        Some("REVOKED") => Verdict::Revoked,
        Some("NOT-HERE") => Verdict::NotValidHere { gate, performance },
        Some("NOT-YET") => Verdict::NotYet {
            not_before: seconds + hour,
        },
        Some("EXPIRED") => Verdict::Expired {
            expiry: seconds - hour,
        },
        Some("FORGED") => Verdict::Forged,
        Some("UNKNOWN") => Verdict::UnknownOffline,
        Some("RESYNC") => Verdict::ResyncRequired,
        Some("TRY-AGAIN") => Verdict::TryAgain,
        Some("FAULT") => Verdict::NodeFault,
        Some(_) => Verdict::Unreadable,
        None if Parsed::read(text).is_ok() => Verdict::Admit,
        None => Verdict::Unreadable,
    }
}
