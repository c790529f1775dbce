//! Which scan responses a row accepts.

use anyhow::{Result, bail, ensure};
use eventify_protocol::{
    lan::ScanAnswer,
    verdict::{DecidedBy, Verdict},
};

use crate::bench::wire::Response;

/// The node's queue of scans is full.
const SERVICE_UNAVAILABLE: u16 = 503;

/// The result of a valid ticket's scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanResult {
    /// Admitted by the core.
    ByCore,
    /// Admitted by the edge.
    ByEdge,
    /// Not decided; a scanner would try again.
    NotYet,
}

/// An unused valid ticket is admitted or, under load, not decided; it is never refused.
pub(super) fn of_good_ticket(answer: &Response) -> Result<ScanResult> {
    if answer.status == SERVICE_UNAVAILABLE {
        return Ok(ScanResult::NotYet);
    }
    let text = || String::from_utf8_lossy(&answer.body).into_owned();
    ensure!(answer.status == 200, "{}: {}", answer.status, text());
    let scan: ScanAnswer = serde_json::from_slice(&answer.body)?;
    match (&scan.verdict, scan.decided_by) {
        (Verdict::Admit, DecidedBy::Core) => Ok(ScanResult::ByCore),
        (Verdict::Admit, DecidedBy::Edge) => Ok(ScanResult::ByEdge),
        (Verdict::TryAgain | Verdict::ResyncRequired, _) => Ok(ScanResult::NotYet),
        (other, _) => bail!("the verdict on a valid ticket was {other:?}"),
    }
}

/// For scans that only the edge can decide.
pub(super) fn of_degraded(answer: &Response) -> Result<ScanResult> {
    match of_good_ticket(answer)? {
        ScanResult::ByEdge => Ok(ScanResult::ByEdge),
        other @ (ScanResult::ByCore | ScanResult::NotYet) => {
            bail!("the result of a degraded scan was {other:?}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, verdict: &str, by: &str) -> Response {
        let body = format!(
            r#"{{"scanId":"018f2d3c-0000-7000-8000-000000000000","verdict":"{verdict}",
                "mode":"Degraded","cacheAgeMs":1,"maxCacheAgeMs":300000,"decidedBy":"{by}",
                "repeated":false}}"#
        );
        let body = body.into_bytes();
        Response { status, body }
    }

    #[test]
    fn only_an_admission_counts_and_a_refusal_fails_the_run() {
        let seen = of_good_ticket(&answer(200, "Admit", "Core"));
        assert_eq!(seen.unwrap(), ScanResult::ByCore);
        assert_eq!(
            of_degraded(&answer(200, "Admit", "Edge")).unwrap(),
            ScanResult::ByEdge
        );
        assert!(of_degraded(&answer(200, "Admit", "Core")).is_err());
        assert_eq!(
            of_good_ticket(&answer(503, "Admit", "Core")).unwrap(),
            ScanResult::NotYet
        );
        assert!(of_good_ticket(&answer(200, "Revoked", "Core")).is_err());
        assert!(of_good_ticket(&answer(401, "Admit", "Core")).is_err());
    }
}
