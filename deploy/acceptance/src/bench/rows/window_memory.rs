//! The scanner app over more scans than an evening has: what its processes keep of them.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};

use crate::{
    bench::{
        budget::{Budget, Measurement, Unit},
        machine::{mebibytes_of, process_of},
        rows::window::at_its_gate,
        seed::Ticket,
        site::Site,
    },
    clock, wait,
    world::window::GateWindow,
};

/// By then each screen has been shown, each library loaded.
const WARM: usize = 2_000;
const SCANS: usize = 20_000;
const MAX_GROWTH_MIB: f64 = 5.0;
/// Between two measurements on the way.
const STEP: usize = 1_000;
const TRIES: usize = 3;
/// A scan is decided by then, that of the guest before shown for its time.
const DECIDED: Duration = Duration::from_secs(5);

#[expect(
    clippy::print_stderr,
    reason = "it takes hours: whoever waits sees how it goes"
)]
pub(super) async fn measure(site: &mut Site) -> Result<Vec<Measurement>> {
    let data = site.world.folder.join("scanner");
    let window = at_its_gate(site, &data).await?;
    let mut kept = Vec::new();
    for _ in 0..SCANS / STEP {
        let mib = scans(site, &window, &data).await?;
        eprintln!("  {} scans: {mib:.1} MiB", (kept.len() + 1) * STEP);
        kept.push(mib);
    }
    window.close().await?;
    site.settle().await?;
    let warm = *kept.get(WARM / STEP - 1).context("it was warm")?;
    let last = *kept.last().context("it was measured")?;
    let all: Vec<_> = kept.iter().map(|mib| format!("{mib:.0}")).collect();
    Ok(vec![Measurement {
        what: format!("memory of the scanner app, from {WARM} scans to {SCANS}"),
        budget: Budget::AtMost {
            bound: MAX_GROWTH_MIB,
        },
        measured: last - warm,
        unit: Unit::Mebibytes,
        note: format!(
            "resident, of the app and of its WebKit processes, the least of each {STEP} scans: {warm:.1} MiB, then \
             {last:.1} MiB; all {}",
            all.join(", ")
        ),
    }])
}

/// The least that was resident meanwhile: what is more is garbage that a page collects when it comes to it.
async fn scans(site: &mut Site, window: &GateWindow, data: &Path) -> Result<f64> {
    let mut least = f64::INFINITY;
    for ticket in site.fresh(STEP)? {
        let mut tries = 1;
        window.type_code(&ticket.token).await?;
        // On a busy machine an imager types as slowly as a person, and what it types is no code.
        while let Err(error) = entered(site, &ticket).await {
            anyhow::ensure!(tries < TRIES, error);
            tries += 1;
            window.dismiss().await?;
            window.type_code(&ticket.token).await?;
        }
        least = least.min(resident_mib(data)?);
    }
    Ok(least)
}

/// Waits until the core has let the guest in. The page is not asked: it would keep something of each script.
async fn entered(site: &mut Site, ticket: &Ticket) -> Result<()> {
    let begin = clock::instant();
    loop {
        let is_in: bool = sqlx::query_scalar(
            "select exists (select from ticketing.checkins where ticket_id = $1)",
        )
        .bind(ticket.id.0)
        .fetch_one(&mut site.db)
        .await?;
        if is_in {
            return Ok(());
        }
        anyhow::ensure!(begin.elapsed() < DECIDED, "{} has not entered", ticket.id);
        tokio::time::sleep(wait::PAUSE).await;
    }
}

/// Of the app and of the processes that it has started.
fn resident_mib(data: &Path) -> Result<f64> {
    let app = process_of(data)?;
    let id = app.file_name().context("it has an id")?;
    let children = std::fs::read_to_string(app.join("task").join(id).join("children"))?;
    let children = children
        .split_whitespace()
        .map(|child| Path::new("/proc").join(child));
    let mut sum = 0.0;
    for process in std::iter::once(app.clone()).chain(children) {
        let status = std::fs::read_to_string(process.join("status"))?;
        sum += mebibytes_of(&status, "VmRSS").context("its resident memory")?;
    }
    Ok(sum)
}
