//! The scanner app in its real window, at the node: from the last key of a code to the verdict on the glass,
//! and from the start of the program to its ready screen.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};

use crate::{
    bench::{
        budget::{Budget, Measurement, Unit},
        machine::{process_of, started_at},
        site::Site,
    },
    story::percentile,
    wait,
    world::window::{GateWindow, Start},
};

const SCANS: usize = 200;
const MAX_P95_MS: f64 = 100.0;
const STARTS: usize = 5;
const MAX_START_SECONDS: f64 = 2.0;
/// A verdict stays for 400 ms: no guest is faster.
const GUEST: Duration = Duration::from_millis(450);

/// In the page: a verdict is on the glass when the picture after its coming has been drawn.
const MEASURE: &str = "
    const glass = (window.measured = { drawn: [] });
    new MutationObserver(() => {
        const shown = document.querySelector('.frame[data-class=go] section:not([data-seen])');
        if (!shown) return;
        shown.setAttribute('data-seen', '');
        requestAnimationFrame(() => setTimeout(() => glass.drawn.push(Date.now())));
    }).observe(document.body, { subtree: true, childList: true, attributes: true });";
const DRAWN: &str = "return window.measured.drawn";

pub(super) async fn measure(site: &mut Site) -> Result<Vec<Measurement>> {
    let data = site.world.folder.join("scanner");
    let mut window = at_its_gate(site, &data).await?;
    let took = scans(site, &window).await?;
    let starts = starts(&mut window, &data).await?;
    window.close().await?;
    site.settle().await?;
    let ms = |fraction| percentile(took.clone(), fraction);
    let median = percentile(starts.clone(), 0.5) / 1e3;
    Ok(vec![
        Measurement {
            what: "trigger to verdict on the window's glass, p95".into(),
            budget: Budget::AtMost { bound: MAX_P95_MS },
            measured: ms(0.95),
            unit: Unit::Milliseconds,
            note: format!(
                "{SCANS} tickets typed by an imager, the start of the tool that presses its Enter included, admitted by the core, drawn in software: p50 {:.0} ms, p95 \
                 {:.0} ms, at most {:.0} ms",
                ms(0.5),
                ms(0.95),
                ms(1.0)
            ),
        },
        Measurement {
            what: "start of the scanner app to its ready screen".into(),
            budget: Budget::AtMost {
                bound: MAX_START_SECONDS,
            },
            measured: median,
            unit: Unit::Seconds,
            note: format!(
                "median of {STARTS} starts of a paired scanner, the web driver's own time included; at most {:.2} s",
                percentile(starts, 1.0) / 1e3
            ),
        },
    ])
}

/// A scanner that works in this folder, paired and ready.
pub(super) async fn at_its_gate(site: &Site, data: &Path) -> Result<GateWindow> {
    let window = GateWindow::open(Start {
        data,
        language: "en",
        kiosk: false,
        arguments: &[],
    })
    .await?;
    window.word("Pair").await?;
    window.scan(&site.node.edge.pairing_code().await?).await?;
    // One gate, one show: nothing is to be chosen.
    window.word("Ready").await?;
    window.says("Live: the core decides").await?;
    Ok(window)
}

async fn scans(site: &mut Site, window: &GateWindow) -> Result<Vec<Duration>> {
    window.window().run(MEASURE).await?;
    let mut all = Vec::new();
    for (number, ticket) in (1..).zip(site.fresh(SCANS)?) {
        let trigger = window.scan(&ticket.token).await?;
        let drawn = wait::until("the verdict to be drawn", wait::START, async || {
            let drawn = window.window().run(DRAWN).await?;
            let drawn: Vec<i64> = serde_json::from_value(drawn)?;
            Ok((drawn.len() >= number)
                .then(|| drawn.last().copied())
                .flatten())
        });
        let took = match drawn.await {
            Ok(drawn) => u64::try_from(drawn - trigger.timestamp_millis())
                .context("the clock was set back")?,
            Err(error) => {
                let glass = window.glass().await?;
                return Err(error.context(format!("scan {number}, on the glass: {}", glass.text)));
            }
        };
        all.push(Duration::from_millis(took));
        tokio::time::sleep(GUEST).await;
    }
    Ok(all)
}

async fn starts(window: &mut GateWindow, data: &Path) -> Result<Vec<Duration>> {
    let mut all = Vec::new();
    for _ in 0..STARTS {
        window.restart().await?;
        window.word("Ready").await?;
        let stat = std::fs::read_to_string(process_of(data)?.join("stat"))?;
        let uptime = std::fs::read_to_string("/proc/uptime")?;
        let now: f64 = uptime.split(' ').next().context("an uptime")?.parse()?;
        let begin = started_at(&stat).context("a start in its status")?;
        all.push(Duration::from_secs_f64((now - begin).max(0.0)));
    }
    Ok(all)
}
