//! Scene 6, the table of `ADMISSION.md` section 7: produces each order of arrival on real processes and
//! checks the result.
//!
//! S1 is a scan at the north gate, S2 one at the south gate. Between the north gate's node and the
//! broker is a [`MessageProxy`], which can hold one kind of message while others pass, so that nothing
//! here depends on timing. Each wait is for a condition: a held message, a status, a row of the core.

mod late;
mod rows_1_to_5;
mod rows_6_to_8;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use eventify_protocol::{
    ids::ScanId,
    lan::{NodeStatus, ScanAnswer},
    sync::{Down, Envelope, Up},
    time::CoreTime,
    verdict::{DecidedBy, Mode, Verdict},
};
use eventify_stack::{Direction, MessageProxy};
use reqwest::Method;
use serde_json::{Value, json};

use self::late::CoreWasLate;
use super::{DEMO_CACHE_AGE, Demo, SOON};
use crate::{
    api::Api,
    clock,
    story::Story,
    wait,
    world::customer::{Ticket, text},
};

/// Indexes of [`Demo::gates`].
pub(super) const NORTH: usize = 0;
pub(super) const SOUTH: usize = 1;

/// Kinds of message: the last level of their topics.
const SCAN: &str = "scan";
const JOURNAL: &str = "journal";
const VERDICT: &str = "verdict";
const DELTA: &str = "delta";

/// How long a message may take to the proxy. One that doesn't come was never sent: the node did not ask the
/// core, because an answer before was late.
const HELD_LIMIT: Duration = Duration::from_secs(20);

/// The order of two scans is certain if they are this far apart: a node's error in core time is the age
/// of a sync point (250 ms at most) plus the time of a response (300 ms at most).
const CERTAIN_ORDER_MICROS: i64 = 600_000;

pub(super) async fn run(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story
        .note("Next, every order in which two scans of one ticket and their responses can arrive:");
    story.note(
        "S1 is a scan at the north gate, S2 one at the south gate. A proxy holds messages back",
    );
    story.note("to produce each order.");
    let proxy = demo.insert_message_proxy(NORTH).await?;
    let staff = demo.world.check_in_staff().await?;
    let mut orders = ArrivalOrders {
        story,
        demo,
        proxy,
        staff,
    };
    orders.settled().await?;
    orders.run_all().await?;
    let ArrivalOrders { demo, proxy, .. } = orders;
    demo.remove_message_proxy(NORTH);
    drop(proxy);
    settled(demo).await
}

struct ArrivalOrders<'p> {
    story: &'p mut Story,
    demo: &'p mut Demo,
    /// Between the north gate's node and the broker.
    proxy: MessageProxy,
    /// May read tickets at the core.
    staff: Api,
}

impl ArrivalOrders<'_> {
    async fn run_all(&mut self) -> Result<()> {
        self.play(Self::verdict_lost).await?;
        self.play(Self::journal_before_scan).await?;
        self.play(Self::other_gate_before_journal).await?;
        self.play(Self::refusal_lost).await?;
        self.play(Self::admitted_at_both_gates).await?;
        // Now the nodes may not decide without the core, so the north gate shows no verdict.
        self.allow_degraded(0).await?;
        self.play(Self::same_scan_again).await?;
        self.play(Self::scan_too_late).await?;
        self.play(Self::guest_at_other_gate).await?;
        self.allow_degraded(u64::try_from(DEMO_CACHE_AGE.as_millis())?)
            .await
    }

    /// Scans at a gate; returns the scan's id and the answer.
    async fn scan(&self, gate: usize, ticket: &Ticket) -> Result<(ScanId, ScanAnswer)> {
        let scan = ScanId(clock::new_id());
        let answer = self.demo.gates[gate]
            .scanner
            .scan_as(scan, &ticket.token)
            .await?;
        Ok((scan, answer))
    }

    /// A scan at the north gate whose verdict, an admission by the core, is held up until the node has
    /// answered by itself. The journal is held up too.
    async fn lose_verdict(&mut self, ticket: &Ticket, shown: &str) -> Result<ScanId> {
        self.proxy.hold(Direction::Down, VERDICT);
        self.proxy.hold(Direction::Up, JOURNAL);
        let (scan, answer) = self.scan(NORTH, ticket).await?;
        let core = self.verdict_in_time(scan).await?;
        self.story
            .expect("the core's verdict, which is lost", "Admit", core.name());
        self.expect_shown("the answer at the north gate", shown, &answer);
        Ok(scan)
    }

    /// The same of a scan that reached the core before its deadline.
    async fn verdict_in_time(&self, scan: ScanId) -> Result<Verdict> {
        let verdict = self.held_verdict(scan).await?;
        if verdict == Verdict::TryAgain {
            return Err(CoreWasLate.into());
        }
        Ok(verdict)
    }

    /// The core's verdict on a scan of the north gate, from the held message.
    async fn held_verdict(&self, scan: ScanId) -> Result<Verdict> {
        let of_scan = |payload: &[u8]| match Envelope::<Down>::from_bytes(payload).ok()?.body {
            Down::Verdict(answer) if answer.scan == scan => Some(answer.verdict),
            Down::Verdict(_)
            | Down::Welcome(_)
            | Down::Point(_)
            | Down::Delta(_)
            | Down::Chunk(_)
            | Down::JournalAck(_)
            | Down::Config(_)
            | Down::SnapshotGone(_)
            | Down::Staff(_)
            | Down::HolderKeys(_) => None,
        };
        let held = self.proxy.held(Direction::Down, VERDICT, of_scan);
        let held = tokio::time::timeout(HELD_LIMIT, held).await;
        held.map_err(|_| CoreWasLate.into())
    }

    /// Waits until a scan of the north gate is held.
    async fn held_scan(&self, scan: ScanId) -> Result<()> {
        let is_it = |payload: &[u8]| {
            let envelope = Envelope::<Up>::from_bytes(payload).ok()?;
            matches!(envelope.body, Up::Scan(held) if held.scan == scan).then_some(())
        };
        let held = self.proxy.held(Direction::Up, SCAN, is_it);
        let held = tokio::time::timeout(HELD_LIMIT, held).await;
        held.map_err(|_| CoreWasLate.into())
    }

    /// Waits until it is certain at a gate that a moment of core time has passed.
    async fn surely_after(&self, moment: CoreTime, gate: usize) -> Result<()> {
        surely_after(self.demo, moment, gate).await
    }

    async fn settled(&self) -> Result<()> {
        settled(self.demo).await
    }

    /// Sets the maximum cache age and waits until both nodes have it.
    async fn allow_degraded(&self, limit_ms: u64) -> Result<()> {
        self.demo.venue_it.allow_degraded(limit_ms).await?;
        for gate in &self.demo.gates {
            let knows = |status: &NodeStatus| status.max_cache_age_ms == limit_ms;
            gate.edge
                .wait_until("the venue's policy", SOON, knows)
                .await?;
        }
        self.settled().await
    }

    /// The ticket at the core.
    async fn ticket(&self, ticket: &Ticket) -> Result<Value> {
        self.staff.get(&format!("/tickets/{}", ticket.id)).await
    }

    /// The ticket's check-in at the core, as text.
    async fn check_in(&self, ticket: &Ticket) -> Result<String> {
        let seen = self.ticket(ticket).await?;
        let status = text(&seen, "status")?;
        if status != "used" {
            return Ok(format!("none, the ticket is {status}"));
        }
        // The refusal of another check-in has the first one's gate, and changes nothing.
        let gate = &self.demo.gates[SOUTH].id;
        let path = format!("/tickets/{}/check-in", ticket.id);
        let body = json!({ "gateId": gate });
        let refused = self.staff.send(Method::POST, &path, Some(&body)).await?;
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

    /// Waits for `expected` double entries of a ticket; returns them as text.
    async fn doubles(&self, ticket: &Ticket, expected: usize) -> Result<String> {
        let found = wait::until("the double entry in the report", SOON, || async {
            let found = doubles(self.demo, &ticket.id).await?;
            Ok((found.len() >= expected).then_some(found))
        });
        let found = found.await?;
        let texts = found.iter().map(|double| {
            let gate = |side: &str| self.gate(double[side]["gateId"].as_str().unwrap_or("none"));
            let order = if double["orderUnknown"] == true {
                "order unknown: "
            } else {
                ""
            };
            format!("{order}first {}, second {}", gate("first"), gate("second"))
        });
        let texts: Vec<_> = texts.collect();
        Ok(if texts.is_empty() {
            "none".to_owned()
        } else {
            texts.join("; ")
        })
    }

    fn gate(&self, id: &str) -> &'static str {
        let found = self.demo.gates.iter().find(|gate| gate.id == id);
        found.map_or("another gate", |gate| gate.name)
    }

    fn expect_shown(&mut self, what: &str, expected: &str, answer: &ScanAnswer) {
        let shown = self.shown(answer);
        self.story.expect(what, expected, shown);
    }

    async fn expect_unconfirmed(&mut self, ticket: &Ticket) -> Result<()> {
        let check_in = self.check_in(ticket).await?;
        self.story.expect(
            "check-in before the journal",
            "North gate, unconfirmed",
            check_in,
        );
        Ok(())
    }

    /// An answer as text.
    fn shown(&self, answer: &ScanAnswer) -> String {
        let by = match answer.decided_by {
            DecidedBy::Core => "the core",
            DecidedBy::Edge => "the node",
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

/// Waits until both nodes are `Online`, their journals are at the core, and their replicas at its head.
pub(super) async fn settled(demo: &Demo) -> Result<()> {
    for gate in &demo.gates {
        let settled = |status: &NodeStatus| {
            status.mode == Mode::Online
                && status.journal.unacknowledged == 0
                && status.replica.position == status.replica.head
        };
        let what = format!("{} to be Online with nothing left to send", gate.edge.label);
        gate.edge.wait_until(&what, SOON, settled).await?;
    }
    Ok(())
}

/// Waits until it is certain at a gate that a moment of core time has passed.
pub(super) async fn surely_after(demo: &Demo, moment: CoreTime, gate: usize) -> Result<()> {
    let past = |status: &NodeStatus| {
        let now = status.core_time;
        now.is_some_and(|now| now.0 >= moment.0 + CERTAIN_ORDER_MICROS)
    };
    let edge = &demo.gates[gate].edge;
    edge.wait_until("a later moment of core time", SOON, past)
        .await?;
    Ok(())
}

/// The latest possible time of a node's decision on a scan, from its journal.
pub(super) async fn decided_at(demo: &Demo, gate: usize, scan: ScanId) -> Result<CoreTime> {
    let to = demo.world.folder.join("journal-so-far.jsonl");
    demo.gates[gate].edge.export_journal(&to).await?;
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

/// The time of a ticket's check-in at the core.
fn used_at(ticket: &Value) -> Result<CoreTime> {
    let at: DateTime<Utc> = text(ticket, "usedAt")?.parse()?;
    Ok(CoreTime(at.timestamp_micros()))
}

/// A ticket's double entries in the venue's reconciliation report.
pub(super) async fn doubles(demo: &Demo, ticket: &str) -> Result<Vec<Value>> {
    let report = demo.venue_it.reconciliation().await?;
    let all = report["doubleEntries"]
        .as_array()
        .context("doubleEntries")?;
    let of_ticket = all.iter().filter(|double| double["ticketId"] == ticket);
    Ok(of_ticket.cloned().collect())
}
