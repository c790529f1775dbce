//! After the evening: what went wrong stands in one list, each fault once, with its end.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Demo, SOON};
use crate::{api::Api, story::Story, wait, world::customer::text};

/// Reads the list as the duty desk does, waits for the ends, and takes up what only a person ends.
pub(super) async fn read(story: &mut Story, demo: &Demo) -> Result<()> {
    story.step("Alarms: each fault once, with its end");
    let desk = demo
        .world
        .signed_in("admin-1", &["ADMIN"], &[])
        .await
        .context("the duty desk")?;
    let standing = wait::until("the ends of what is over", SOON, || async {
        let standing = list(&desk, "standing").await?;
        let is_left = |alarm: &Value| ENDED_BY_PEOPLE.contains(&code(alarm));
        Ok(standing.iter().all(is_left).then_some(standing))
    })
    .await?;
    let all = list(&desk, "all").await?;
    let mut times: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for alarm in &all {
        let subject = alarm["subject"].as_str().unwrap_or_default();
        *times.entry((code(alarm), subject)).or_default() += 1;
    }
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    story.expect("faults that are listed twice", "[]", format!("{twice:?}"));
    let codes: BTreeSet<&str> = all.iter().map(code).collect();
    let silence = BTreeSet::from(OF_SILENCE);
    let codes: BTreeSet<_> = codes.difference(&silence).copied().collect();
    let expected: Vec<_> = [ENDED_BY_FACT, &ENDED_BY_PEOPLE].concat();
    let expected: BTreeSet<_> = expected.into_iter().collect();
    story.expect(
        "what went wrong this evening",
        format!("{expected:?}"),
        format!("{codes:?}"),
    );
    let without_act = all
        .iter()
        .filter(|alarm| text(alarm, "act").is_ok_and(|act| act.len() < 20));
    story.expect("alarms that don't say what to do", 0, without_act.count());
    for alarm in &standing {
        let path = format!("/fleet/alarms/{}/acknowledge", text(alarm, "alarmId")?);
        let read = json!({ "occurrences": alarm["occurrences"], "name": "duty desk" });
        let _taken_up: Value = desk.post(&path, read).await?;
    }
    let left = list(&desk, "standing").await?;
    story.expect(
        "alarms that stand when the desk has read them",
        0,
        left.len(),
    );
    let ended = |alarm: &&Value| alarm["endedAt"].is_string();
    let all = list(&desk, "all").await?;
    story.expect(
        "alarms with an end",
        all.len(),
        all.iter().filter(ended).count(),
    );
    Ok(())
}

/// They have happened: only a person ends them. A node whose messages are none, or another's; a guest who
/// was let in while the money was on its way back.
const ENDED_BY_PEOPLE: [&str; 8] = [
    "broker_refused",
    "message_malformed",
    "message_too_large",
    "message_trailing_bytes",
    "message_version",
    "refunded_guest_admitted",
    "uplink_kind_mismatch",
    "uplink_sender_mismatch",
];

/// The key was rolled, and put right.
const ENDED_BY_FACT: &[&str] = &["payment.key_rejected"];

/// On a busy machine the scenes without a line may last as long as it takes to be told of them.
const OF_SILENCE: [&str; 5] = [
    "bus.outbox_standing",
    "gate_cut_off",
    "gate_decides_alone",
    "gate_locked",
    "truth_stands_still",
];

fn code(alarm: &Value) -> &str {
    alarm["code"].as_str().unwrap_or_default()
}

async fn list(desk: &Api, state: &str) -> Result<Vec<Value>> {
    let mut page: Value = desk
        .get(&format!("/fleet/alarms?state={state}&size=100"))
        .await?;
    Ok(serde_json::from_value(page["items"].take())?)
}
