//! What a scan's answer may be.

use anyhow::{Result, bail, ensure};
use eventify_protocol::{
    lan::ScanAnswer,
    verdict::{DecidedBy, Verdict},
};

use crate::bench::wire::Answer;

/// Busy: the node has as many scans waiting as it takes.
const SERVICE_UNAVAILABLE: u16 = 503;

/// How a scan of a good ticket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Admitted by the core.
    ByCore,
    /// Admitted by the edge.
    ByEdge,
    /// Not decided; the scanner would ask again.
    NotYet,
}

/// A good ticket that was never scanned is admitted or, under load, not decided yet; never refused.
pub(super) fn of_good_ticket(answer: &Answer) -> Result<Seen> {
    if answer.status == SERVICE_UNAVAILABLE {
        return Ok(Seen::NotYet);
    }
    let text = || String::from_utf8_lossy(&answer.body).into_owned();
    ensure!(answer.status == 200, "{}: {}", answer.status, text());
    let scan: ScanAnswer = serde_json::from_slice(&answer.body)?;
    match (&scan.verdict, scan.decided_by) {
        (Verdict::Admit, DecidedBy::Core) => Ok(Seen::ByCore),
        (Verdict::Admit, DecidedBy::Edge) => Ok(Seen::ByEdge),
        (Verdict::TryAgain | Verdict::ResyncRequired, _) => Ok(Seen::NotYet),
        (other, _) => bail!("a good ticket was answered {other:?}"),
    }
}

/// The same where only the edge can decide, and must.
pub(super) fn of_degraded(answer: &Answer) -> Result<Seen> {
    match of_good_ticket(answer)? {
        Seen::ByEdge => Ok(Seen::ByEdge),
        other @ (Seen::ByCore | Seen::NotYet) => bail!("a degraded scan ended {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, verdict: &str, by: &str) -> Answer {
        let body = format!(
            r#"{{"scanId":"018f2d3c-0000-7000-8000-000000000000","verdict":"{verdict}",
                "mode":"Degraded","cacheAgeMs":1,"maxCacheAgeMs":300000,"decidedBy":"{by}",
                "repeated":false}}"#
        );
        let body = body.into_bytes();
        Answer { status, body }
    }

    #[test]
    fn only_an_admission_counts_and_a_refusal_fails_the_run() {
        let seen = of_good_ticket(&answer(200, "Admit", "Core"));
        assert_eq!(seen.unwrap(), Seen::ByCore);
        assert_eq!(
            of_degraded(&answer(200, "Admit", "Edge")).unwrap(),
            Seen::ByEdge
        );
        assert!(of_degraded(&answer(200, "Admit", "Core")).is_err());
        assert_eq!(
            of_good_ticket(&answer(503, "Admit", "Core")).unwrap(),
            Seen::NotYet
        );
        assert!(of_good_ticket(&answer(200, "Revoked", "Core")).is_err());
        assert!(of_good_ticket(&answer(401, "Admit", "Core")).is_err());
    }
}
