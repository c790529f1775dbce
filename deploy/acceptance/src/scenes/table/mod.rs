//! Scene 6, the table of `ADMISSION.md` section 7: each order of arrival is brought about on real
//! processes, and must end as written.
//!
//! S1 is a scan at the north gate, S2 one at the south gate. The north gate's node keeps its broker,
//! but for this scene its line is a [`MessageLine`]: it can hold one kind of message while the others
//! pass, so that nothing here depends on who is quicker. What is waited for is always a fact: a message
//! that is held, a status, a row of the core.

mod given_up;
mod rows;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use eventify_protocol::{
    ids::ScanId,
    lan::{NodeStatus, ScanAnswer},
    sync::{Down, Envelope, Up},
    time::CoreTime,
    verdict::{DecidedBy, Mode, Verdict},
};
use eventify_stack::{MessageLine, Way};
use reqwest::Method;
use serde_json::{Value, json};

use super::{MAX_CACHE_AGE, Play, SOON};
use crate::{
    api::Api,
    clock,
    story::Story,
    wait,
    world::customer::{Ticket, text},
};

/// Places in [`Play::gates`].
pub(super) const NORTH: usize = 0;
pub(super) const SOUTH: usize = 1;

/// Kinds of message: the last level of their topics.
const SCAN: &str = "scan";
const JOURNAL: &str = "journal";
const VERDICT: &str = "verdict";
const DELTA: &str = "delta";

/// How far apart two moments of core time must be for their order to be beyond doubt: a node knows
/// it to the age of a sync point (250 ms at most) and the time of an answer (300 ms at most).
const BEYOND_DOUBT_MICROS: i64 = 600_000;

pub(super) async fn play(story: &mut Story, play: &mut Play) -> Result<()> {
    story.note(
        "Next, every order in which two scans of one ticket and their answers can arrive: S1 is a",
    );
    story.note(
        "scan at the north gate, S2 one at the south gate. What the line holds back is released",
    );
    story.note("when the row says so.");
    let line = play.lend_line(NORTH).await?;
    let desk = play.world.desk().await?;
    let mut table = Table {
        story,
        play,
        line,
        desk,
    };
    table.settled().await?;
    table.played().await?;
    let Table { play, line, .. } = table;
    play.take_line_back(NORTH);
    drop(line);
    settled(play).await
}

/// One row at a time.
struct Table<'p> {
    story: &'p mut Story,
    play: &'p mut Play,
    /// The north gate's line to the broker.
    line: MessageLine,
    /// Somebody who may ask the core about a ticket.
    desk: Api,
}

impl Table<'_> {
    async fn played(&mut self) -> Result<()> {
        self.answer_lost().await?;
        self.scan_behind_its_journal().await?;
        self.other_gate_before_the_journal().await?;
        self.refusal_lost().await?;
        self.admitted_elsewhere_meanwhile().await?;
        // From here on the edge must not decide alone: then nothing is shown.
        self.alone(0).await?;
        self.tried_again().await?;
        self.executed_too_late().await?;
        self.guest_goes_elsewhere().await?;
        self.alone(u64::try_from(MAX_CACHE_AGE.as_millis())?).await
    }

    /// Scans at a gate; gives the scan and its answer.
    async fn scan(&self, gate: usize, ticket: &Ticket) -> Result<(ScanId, ScanAnswer)> {
        let scan = ScanId(clock::new_id());
        let answer = self.play.gates[gate]
            .scanner
            .scan_as(scan, &ticket.token)
            .await?;
        Ok((scan, answer))
    }

    /// What the core has answered to a scan of the north gate; the answer is held on its way.
    async fn held_verdict(&self, scan: ScanId) -> Result<Verdict> {
        let of_scan = |payload: &[u8]| match Envelope::<Down>::from_bytes(payload).ok()?.body {
            Down::Verdict(answer) if answer.scan == scan => Some(answer.verdict),
            Down::Verdict(_)
            | Down::Welcome(_)
            | Down::Point(_)
            | Down::Delta(_)
            | Down::Chunk(_)
            | Down::JournalAck(_)
            | Down::Config(_) => None,
        };
        let held = self.line.held(Way::Down, VERDICT, of_scan);
        tokio::time::timeout(SOON, held)
            .await
            .context("no verdict of the core was held")
    }

    /// Waits until a scan of the north gate is held on its way to the core.
    async fn held_scan(&self, scan: ScanId) -> Result<()> {
        let is_it = |payload: &[u8]| {
            let envelope = Envelope::<Up>::from_bytes(payload).ok()?;
            matches!(envelope.body, Up::Scan(held) if held.scan == scan).then_some(())
        };
        let held = self.line.held(Way::Up, SCAN, is_it);
        tokio::time::timeout(SOON, held)
            .await
            .context("the scan was not held")
    }

    /// Waits until the core's clock, as a gate knows it, is past a moment beyond doubt.
    async fn surely_after(&self, moment: CoreTime, gate: usize) -> Result<()> {
        surely_after(self.play, moment, gate).await
    }

    async fn settled(&self) -> Result<()> {
        settled(self.play).await
    }

    /// Sets how old a cache may be that decides alone, and waits until both nodes know it.
    async fn alone(&self, limit_ms: u64) -> Result<()> {
        self.play.office.allow_degraded(limit_ms).await?;
        for gate in &self.play.gates {
            let knows = |status: &NodeStatus| status.max_cache_age_ms == limit_ms;
            gate.edge.becomes("the venue's policy", SOON, knows).await?;
        }
        self.settled().await
    }

    /// The ticket as the core has it.
    async fn ticket(&self, ticket: &Ticket) -> Result<Value> {
        self.desk.get(&format!("/tickets/{}", ticket.id)).await
    }

    /// The ticket's check-in at the core, in words.
    async fn check_in(&self, ticket: &Ticket) -> Result<String> {
        let seen = self.ticket(ticket).await?;
        let status = text(&seen, "status")?;
        if status != "used" {
            return Ok(format!("none, the ticket is {status}"));
        }
        // A used ticket is asked for once more: the refusal says who was first, and changes nothing.
        let gate = &self.play.gates[SOUTH].id;
        let path = format!("/tickets/{}/check-in", ticket.id);
        let body = json!({ "gateId": gate });
        let refused = self.desk.send(Method::POST, &path, Some(&body)).await?;
        let details = refused.body["error"]["details"]
            .as_array()
            .with_context(|| format!("details in {}", refused.body))?;
        let first = |field: &str| {
            let found = details.iter().find(|it| it["field"] == field);
            text(found.unwrap_or(&Value::Null), "issue")
        };
        let gate = self.gate(&first("first.gateId")?);
        let confirmed = match first("first.confirmed")?.as_str() {
            "true" => "confirmed",
            _ => "unconfirmed",
        };
        Ok(format!("{gate}, {confirmed}"))
    }

    /// The double entries of a ticket, in words; `expected` of them are waited for.
    async fn doubles(&self, ticket: &Ticket, expected: usize) -> Result<String> {
        let found = wait::until("the double entry in the report", SOON, || async {
            let found = doubles(self.play, &ticket.id).await?;
            Ok((found.len() >= expected).then_some(found))
        });
        let found = found.await?;
        let told = found.iter().map(|double| {
            let gate = |side: &str| self.gate(double[side]["gateId"].as_str().unwrap_or("none"));
            let order = if double["orderUnknown"] == true {
                "order unknown: "
            } else {
                ""
            };
            format!("{order}first {}, second {}", gate("first"), gate("second"))
        });
        let told: Vec<_> = told.collect();
        Ok(if told.is_empty() {
            "none".to_owned()
        } else {
            told.join("; ")
        })
    }

    fn gate(&self, id: &str) -> &'static str {
        let found = self.play.gates.iter().find(|gate| gate.id == id);
        found.map_or("another gate", |gate| gate.name)
    }

    /// An answer as the guest sees it.
    fn shown(&self, answer: &ScanAnswer) -> String {
        let by = match answer.decided_by {
            DecidedBy::Core => "the core",
            DecidedBy::Edge => "the node alone",
        };
        if let Verdict::AlreadyUsed { first } = &answer.verdict {
            let gate = self.gate(&first.gate.to_string());
            format!("AlreadyUsed at {gate}, confirmed: {}", first.confirmed)
        } else if answer.verdict == Verdict::Admit {
            format!("Admit, by {by}")
        } else {
            answer.verdict.name().to_owned()
        }
    }
}

/// Waits until both nodes are `Online`, the core has their journals, and their replicas are at its
/// head.
pub(super) async fn settled(play: &Play) -> Result<()> {
    for gate in &play.gates {
        let settled = |status: &NodeStatus| {
            status.mode == Mode::Online
                && status.journal.unacknowledged == 0
                && status.replica.position == status.replica.head
        };
        let what = format!("{} to be Online with nothing left to tell", gate.edge.label);
        gate.edge.becomes(&what, SOON, settled).await?;
    }
    Ok(())
}

/// Waits until the core's clock, as a gate knows it, is past a moment beyond doubt.
pub(super) async fn surely_after(play: &Play, moment: CoreTime, gate: usize) -> Result<()> {
    let past = |status: &NodeStatus| {
        let now = status.core_time;
        now.is_some_and(|now| now.0 >= moment.0 + BEYOND_DOUBT_MICROS)
    };
    let edge = &play.gates[gate].edge;
    edge.becomes("a later moment of core time", SOON, past)
        .await?;
    Ok(())
}

/// The latest moment at which a node can have decided a scan, by its journal.
pub(super) async fn decided_at(play: &Play, gate: usize, scan: ScanId) -> Result<CoreTime> {
    let to = play.world.folder.join("journal-so-far.jsonl");
    play.gates[gate].edge.export_journal(&to).await?;
    let text = std::fs::read_to_string(&to)?;
    std::fs::remove_file(&to)?;
    for line in text.lines() {
        let row: Value = serde_json::from_str(line)?;
        if row["entry"]["scan"] == scan.to_string() {
            let latest = row["at"]["core"]["latest"].as_i64();
            return latest.map(CoreTime).context("a decision without a time");
        }
    }
    bail!("the scan is not in the journal")
}

/// The moment of a ticket's check-in, as the core has it.
fn used_at(ticket: &Value) -> Result<CoreTime> {
    let at: DateTime<Utc> = text(ticket, "usedAt")?.parse()?;
    Ok(CoreTime(at.timestamp_micros()))
}

/// The double entries of one ticket in the venue's reconciliation.
pub(super) async fn doubles(play: &Play, ticket: &str) -> Result<Vec<Value>> {
    let report = play.office.reconciliation().await?;
    let all = report["doubleEntries"]
        .as_array()
        .context("doubleEntries")?;
    let of_ticket = all.iter().filter(|double| double["ticketId"] == ticket);
    Ok(of_ticket.cloned().collect())
}
