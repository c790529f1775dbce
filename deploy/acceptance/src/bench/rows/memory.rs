//! A node with 100,000 tickets: its memory, and the time from its start to its first verdict.

use std::time::Duration;

use anyhow::{Context as _, Result};
use eventify_protocol::verdict::Verdict;

use crate::{
    bench::{
        budget::{Budget, Measurement, Unit},
        site::Site,
    },
    clock, wait,
};

const MAX_MIB: f64 = 64.0;
const MAX_SECONDS: f64 = 1.0;

pub(super) async fn measure(site: &mut Site) -> Result<Vec<Measurement>> {
    let synced = site.node.first_sync.resident_mib;
    let worked = site.node.resident_mib("VmRSS")?;
    let peak = site.node.resident_mib("VmHWM")?;
    let ticket = site.fresh(1)?.pop().context("a ticket")?;
    site.node.edge.kill().await?;
    let begin = clock::instant();
    site.node.edge.spawn()?;
    let answer = first_verdict(site, &ticket.token).await?;
    let took = begin.elapsed();
    anyhow::ensure!(
        answer == Verdict::Admit,
        "the verdict on a valid ticket was {answer:?}"
    );
    site.settle().await?;
    let restarted = site.node.resident_mib("VmRSS")?;
    Ok(vec![
        Measurement {
            what: "memory of the edge with 100,000 tickets".into(),
            budget: Budget::AtMost { bound: MAX_MIB },
            measured: synced.max(worked).max(restarted),
            unit: Unit::Mebibytes,
            note: format!(
                "resident {synced:.1} MiB after the first sync, {worked:.1} MiB after the rows \
                 above (at most {peak:.1} MiB), {restarted:.1} MiB after a restart"
            ),
        },
        Measurement {
            what: "first verdict after the start".into(),
            budget: Budget::AtMost { bound: MAX_SECONDS },
            measured: took.as_secs_f64(),
            unit: Unit::Seconds,
            note: "after SIGKILL, from the start of the program, a new access token included"
                .into(),
        },
    ])
}

/// Scans until there is a final verdict.
async fn first_verdict(site: &mut Site, token: &str) -> Result<Verdict> {
    let scanner = &mut site.node.scanner;
    let begin = clock::instant();
    loop {
        if scanner.refresh().await.is_ok()
            && let Ok(answer) = scanner.scan(token).await
            && answer.verdict.is_final()
        {
            return Ok(answer.verdict);
        }
        anyhow::ensure!(begin.elapsed() < wait::START, "no verdict after the start");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
