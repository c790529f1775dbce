//! Scene 9: the line is back, and both sides compare what happened.

use anyhow::{Context as _, Result};
use eventify_protocol::verdict::Mode;
use serde_json::Value;

use super::{
    Play, SOON,
    enrolment::{name, same_position},
};
use crate::{clock::timed, story::Story, wait};

pub(super) async fn heal(story: &mut Story, play: &mut Play) -> Result<()> {
    story.step("9. The line is back");
    for gate in &play.gates {
        gate.edge.line.heal();
    }
    for gate in &play.gates {
        let (status, took) = timed(gate.edge.reaches(Mode::Online, SOON)).await;
        story.expect_in(&gate.edge.label, "Online", name(status?.mode), took);
        let what = format!("the journal of {} to be acknowledged", gate.edge.label);
        let done = |status: &eventify_protocol::lan::NodeStatus| status.journal.unacknowledged == 0;
        let status = gate.edge.becomes(&what, SOON, done).await?;
        let what = format!("rows of {} that the core lacks", gate.edge.label);
        story.expect(&what, 0, status.journal.unacknowledged);
    }
    report(story, play).await?;
    let (equal, digest) = same_position(&play.gates).await?;
    story.holds("digests are equal", equal, digest);
    let ticket = play.next_ticket()?;
    let answer = play.gates[0].scanner.scan(&ticket.token).await?;
    story.expect(
        "a guest is admitted online again",
        "Admit",
        answer.verdict.name(),
    );
    for (number, gate) in (1..).zip(&play.gates) {
        let to = play
            .world
            .folder
            .join(format!("journal-edge-{number}.jsonl"));
        gate.edge.export_journal(&to).await?;
    }
    Ok(())
}

async fn report(story: &mut Story, play: &Play) -> Result<()> {
    let report: Value = wait::until("the double entry in the report", SOON, || async {
        let report = play.office.reconciliation().await?;
        let found = report["doubleEntries"]
            .as_array()
            .is_some_and(|list| !list.is_empty());
        Ok(found.then_some(report))
    })
    .await?;
    let path = play.world.folder.join("reconciliation.json");
    std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    let doubles = report["doubleEntries"]
        .as_array()
        .context("doubleEntries")?;
    story.expect("double entries reported", 1, doubles.len());
    let gate = |side: &str| {
        doubles[0][side]["gateId"]
            .as_str()
            .unwrap_or("none")
            .to_owned()
    };
    let mut gates = [gate("first"), gate("second")];
    gates.sort();
    let mut both = play.gates.each_ref().map(|gate| gate.id.clone());
    both.sort();
    story.expect("with both gates", both.join(" and "), gates.join(" and "));
    let outages = report["outages"].as_array().context("outages")?;
    let add_up = outages.iter().all(|outage| outage["addsUp"] == true);
    story.holds(
        "each outage's report adds up",
        add_up && outages.len() >= 2,
        outages.len(),
    );
    Ok(())
}
