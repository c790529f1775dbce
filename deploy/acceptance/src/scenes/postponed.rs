//! Scene 5, second part: the show is postponed, and guests keep the codes that they have.

use anyhow::{Context as _, Result};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use eventify_protocol::{lan::ScanAnswer, verdict::Mode};
use eventify_stack::Card;
use serde_json::{Value, json};

use super::{Demo, SOON, enrolment::name};
use crate::{
    clock::{self, timed},
    story::Story,
    wait,
    world::customer::{Outcome, Places, Ticket},
};

pub(super) async fn run(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.step("5b. The show breaks off and is postponed to tomorrow");
    let before = tickets_of_a_preview(demo).await?;
    let [online, degraded] = two_guests(demo).await?;
    // Orders hear of their tickets a moment after the customer has them.
    wait::until("the organiser to see both tickets", SOON, || async {
        Ok((tickets_of_a_preview(demo).await? == before + 2).then_some(()))
    })
    .await?;
    let now = clock::now();
    let end = now + TimeDelta::seconds(1);
    let began = json!({ "startTime": time(now - TimeDelta::hours(2)), "endsAt": time(end) });
    let moved = demo.reschedule(&began, "").await?;
    // Until then the code is good; a second that has begun counts as whole.
    wait::until("the end of the show", SOON, || async {
        Ok((clock::now() > end + TimeDelta::seconds(1)).then_some(()))
    })
    .await?;
    let sold = &moved["affected"]["tickets"];
    story.figure("tickets that are sold for the old times", sold);
    let over = until(demo, 0, &online, "Expired").await?;
    story.expect("its end is brought forward", "Expired", over.verdict.name());

    let start = now + TimeDelta::days(1);
    let tomorrow = json!({ "startTime": time(start) });
    let preview = demo.reschedule(&tomorrow, "?dryRun=true").await?;
    story.expect(
        "a preview says who is affected",
        sold,
        &preview["affected"]["tickets"],
    );
    demo.reschedule(&tomorrow, "").await?;
    let (early, took) = timed(until(demo, 0, &online, "NotYet")).await;
    story.expect_in(
        "it is postponed to tomorrow: the gate knows it",
        "NotYet",
        early?.verdict.name(),
        took,
    );

    let doors = json!({ "startTime": time(start), "doorsAt": time(now) });
    demo.reschedule(&doors, "").await?;
    let answer = until(demo, 0, &online, "Admit").await?;
    story.expect(
        "tomorrow's doors open, and the code of yesterday's ticket admits",
        "Admit",
        answer.verdict.name(),
    );
    let shown = answer.ticket.and_then(|ticket| ticket.title);
    story.expect(
        "the steward sees what it is for",
        "Nuit blanche",
        shown.unwrap_or_default(),
    );
    alone(story, demo, &degraded, &doors["doorsAt"]).await
}

/// How many tickets a move to tomorrow would concern.
async fn tickets_of_a_preview(demo: &Demo) -> Result<u64> {
    let tomorrow = json!({ "startTime": time(clock::now() + TimeDelta::days(1)) });
    let preview = demo.reschedule(&tomorrow, "?dryRun=true").await?;
    let tickets = preview["affected"]["tickets"].as_u64();
    tickets.context("a preview says how many tickets it concerns")
}

/// The same at a gate that has lost its line.
async fn alone(story: &mut Story, demo: &Demo, guest: &Ticket, doors: &Value) -> Result<()> {
    let gate = &demo.gates[1];
    let doors: DateTime<Utc> = serde_json::from_value(doors.clone())?;
    wait::until("the venue's feed to get the new doors", SOON, || async {
        let known = demo.venue_it.performances().await?;
        let is_it = |show: &&Value| show["performanceId"] == demo.fixture.performance.as_str();
        let show = known.iter().find(is_it).map(|show| show["doorsAt"].clone());
        let at: Option<DateTime<Utc>> = show.map(serde_json::from_value).transpose()?;
        Ok((at == Some(doors)).then_some(()))
    })
    .await?;
    gate.edge.catch_up(SOON).await?;
    gate.edge.link.cut();
    let answer = gate.scanner.scan(&guest.token).await?;
    story.expect(
        "another guest, at a gate without the core",
        "Admit",
        answer.verdict.name(),
    );
    story.expect("the node's mode", "Degraded", name(answer.mode));
    gate.edge.link.heal();
    gate.edge.wait_for_mode(Mode::Online, SOON).await?;
    Ok(())
}

/// Scans a code, each time anew, until the gate says this of it.
async fn until(demo: &Demo, gate: usize, guest: &Ticket, verdict: &str) -> Result<ScanAnswer> {
    let what = format!("the gate to answer {verdict}");
    wait::until(&what, SOON, || async {
        let answer = demo.gates[gate].scanner.scan(&guest.token).await?;
        Ok((answer.verdict.name() == verdict).then_some(answer))
    })
    .await
}

/// Bought before anything has moved.
async fn two_guests(demo: &Demo) -> Result<[Ticket; 2]> {
    let customer = demo.world.customer(210).await?;
    let bought = customer
        .buy(&demo.fixture, &Places::Standing(2), Card::Good)
        .await?;
    let Outcome::Tickets(tickets) = bought else {
        anyhow::bail!("no tickets: {bought:?}");
    };
    tickets
        .try_into()
        .map_err(|tickets: Vec<Ticket>| anyhow::anyhow!("{} tickets", tickets.len()))
}

impl Demo {
    /// The organiser moves the show.
    async fn reschedule(&self, times: &Value, query: &str) -> Result<Value> {
        let (event, performance) = (&self.fixture.event, &self.fixture.performance);
        let path = format!("/events/{event}/performances/{performance}{query}");
        self.world.organiser().await?.put(&path, times).await
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
