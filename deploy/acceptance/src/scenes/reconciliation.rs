//! Scene 9: the network works again, and both sides compare what happened.

use anyhow::{Context as _, Result};
use eventify_protocol::verdict::Mode;
use serde_json::Value;

use super::{
    Demo, SOON, arrival_orders,
    enrolment::{name, same_position},
};
use crate::{clock::timed, story::Story, wait, world::Gate};

pub(super) async fn reconnect(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.step("9. The network works again");
    for gate in &demo.gates {
        gate.edge.link.heal();
    }
    for gate in &demo.gates {
        let (status, took) = timed(gate.edge.wait_for_mode(Mode::Online, SOON)).await;
        story.expect_in(&gate.edge.label, "Online", name(status?.mode), took);
        let what = format!("the journal of {} to be acknowledged", gate.edge.label);
        let done = |status: &eventify_protocol::lan::NodeStatus| status.journal.unacknowledged == 0;
        let status = gate.edge.wait_until(&what, SOON, done).await?;
        let what = format!(
            "journal rows of {} that the core does not have",
            gate.edge.label
        );
        story.expect(&what, 0, status.journal.unacknowledged);
    }
    report(story, demo).await?;
    let (equal, digest) = same_position(&demo.gates).await?;
    story.holds("both nodes have the same digest", equal, digest);
    let ticket = demo.next_ticket()?;
    let answer = demo.gates[0].scanner.scan(&ticket.token).await?;
    story.expect("a guest, online again", "Admit", answer.verdict.name());
    for (number, gate) in (1..).zip(&demo.gates) {
        let to = demo
            .world
            .folder
            .join(format!("journal-edge-{number}.jsonl"));
        gate.edge.export_journal(&to).await?;
    }
    Ok(())
}

async fn report(story: &mut Story, demo: &Demo) -> Result<()> {
    let guest = demo
        .twice
        .as_deref()
        .context("a ticket that was admitted twice")?;
    let doubles = wait::until("the double entry in the report", SOON, || async {
        let found = arrival_orders::doubles(demo, guest).await?;
        Ok((!found.is_empty()).then_some(found))
    })
    .await?;
    story.expect(
        "double entries of the ticket that was admitted at both gates",
        1,
        doubles.len(),
    );
    let double = &doubles[0];
    let order = if double["orderUnknown"] == true {
        "order_unknown"
    } else {
        "double_entry"
    };
    story.expect("reported as", "double_entry", order);
    let gate = |side: &str| {
        let name = &double[format!("{side}GateName")];
        name.as_str().unwrap_or("a gate without a name")
    };
    story.expect(
        "with both gates",
        format!(
            "first {}, second {}",
            demo.gates[0].name, demo.gates[1].name
        ),
        format!("first {}, second {}", gate("first"), gate("second")),
    );
    let report = demo.venue_it.reconciliation().await?;
    let path = demo.world.folder.join("reconciliation.json");
    std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    let outages = report["outages"].as_array().context("outages")?;
    let add_up = outages.iter().filter(|outage| outage["addsUp"] == true);
    story.expect(
        "outages of the evening whose report adds up",
        // At least this outage at each gate.
        format!("{0} of {0}", outages.len().max(2)),
        format!("{} of {}", add_up.count(), outages.len()),
    );
    let last = |gate: &Gate| {
        let of_gate = outages
            .iter()
            .filter(|it| it["label"] == gate.edge.label.as_str());
        of_gate.last().map_or("none".to_owned(), summary)
    };
    for gate in &demo.gates {
        story.figure(&format!("this outage at {}", gate.edge.label), last(gate));
    }
    Ok(())
}

/// An outage's report in one line.
fn summary(outage: &Value) -> String {
    let refused: u64 = outage["refused"].as_object().map_or(0, |reasons| {
        reasons.values().filter_map(Value::as_u64).sum()
    });
    format!(
        "{} scans = {} admitted + {} double entries + {} order unknown + {refused} refused",
        outage["scans"], outage["admitted"], outage["doubleEntries"], outage["orderUnknown"],
    )
}
