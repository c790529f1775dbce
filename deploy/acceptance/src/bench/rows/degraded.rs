//! Degraded scans: durable, decided by the edge, through its LAN API.

use std::time::Duration;

use anyhow::Result;
use ed25519_dalek::{Signer as _, SigningKey};

use super::scans::{ScanResult, of_degraded};
use crate::{
    bench::{
        budget::{Budget, Measurement, Peer, Unit},
        load::{Pace, drive, rate},
        site::Site,
    },
    clock,
};

const MIN_SHARE: f64 = 0.6;
const MAX_P99_MS: f64 = 10.0;
const PER_SECOND: u32 = 1_000;
const PACED: usize = 10_000;
const SCANNERS: usize = 64;
const UNPACED: usize = 30_000;
const UNPACED_LIMIT: Duration = Duration::from_secs(8);
const VERIFICATIONS: usize = 20_000;
/// As long as the signed bytes of a ticket.
const MESSAGE: [u8; 150] = [7; 150];

pub(super) async fn measure(site: &mut Site) -> Result<Vec<Measurement>> {
    let mut connections = site.node.connections(SCANNERS).await?;
    let tickets = site.fresh(PACED + UNPACED)?;
    let mut scans = site.node.scans(&tickets).await?;
    let unpaced = scans.split_off(PACED);
    site.node.cut_off().await?;
    let paced = drive(
        &mut connections,
        scans,
        Pace::PerSecond(PER_SECOND),
        of_degraded,
    )
    .await?;
    // Before and after, in case the machine becomes slower in between.
    let before = verify_strict_rate()?;
    let used = site.node.processor_seconds()?;
    let pace = Pace::AsAnswered(UNPACED_LIMIT);
    let unpaced = drive(&mut connections, unpaced, pace, of_degraded).await?;
    let used = site.node.processor_seconds()? - used;
    let after = verify_strict_rate()?;
    site.node.reconnect().await?;
    site.settle().await?;
    Ok(vec![
        Measurement {
            what: "degraded scans at the edge, durable".into(),
            budget: Budget::Share {
                share: MIN_SHARE,
                of: Peer {
                    what: "verify_strict, one core".into(),
                    value: f64::midpoint(before, after),
                },
            },
            measured: unpaced.rate(|seen| *seen == ScanResult::ByEdge),
            unit: Unit::PerSecond,
            note: format!(
                "{SCANNERS} scanners over HTTPS in a closed loop: {}; the node's program used one \
                 core for each {:.0}/s",
                unpaced.spread(),
                unpaced.per_second_of(used)
            ),
        },
        Measurement {
            what: "degraded scan at 1,000/s, p99".into(),
            budget: Budget::AtMost { bound: MAX_P99_MS },
            measured: paced.latency_ms(0.99),
            unit: Unit::Milliseconds,
            note: format!("open loop: {}", paced.spread()),
        },
    ])
}

fn verify_strict_rate() -> Result<f64> {
    let key = SigningKey::from_bytes(&[1; 32]);
    let (signature, public) = (key.sign(&MESSAGE), key.verifying_key());
    let begin = clock::instant();
    for _ in 0..VERIFICATIONS {
        public.verify_strict(std::hint::black_box(&MESSAGE), &signature)?;
    }
    Ok(rate(VERIFICATIONS, begin.elapsed()))
}
