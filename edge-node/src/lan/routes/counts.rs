//! `GET /v1/counts`: how many are inside, and how fast the gates are.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use eventify_protocol::{
    ids::{GateId, PerformanceId},
    lan::{GateFlow, GateStatus, InsideByGate, PerformanceCounts, VenueCounts, ZoneCounts},
    sync::{FeedEntry, Subject, Value},
    token::CategoryCode,
    verdict::Mode,
};

use crate::{
    lan::{Lan, error::ApiError, locked, pace::Pace},
    store::TicketKind,
};

pub(super) async fn counts(State(lan): State<Arc<Lan>>) -> Result<Json<VenueCounts>, ApiError> {
    of_venue(&lan).await.map(Json)
}

/// Read from the tickets and this node's own admissions, so that a restart changes nothing.
pub(in crate::lan) async fn of_venue(lan: &Lan) -> Result<VenueCounts, ApiError> {
    let ((counts, small), insight) = lan
        .read(|reader, insight| {
            let own = insight.admissions.iter();
            let own: Vec<_> = own.map(|(ticket, first)| (*ticket, first.gate)).collect();
            reader.count_tickets(&own)
        })
        .await?;
    let status = insight.status;
    let names = Names(&small);
    let performances = status.performances.iter().map(|performance| {
        let id = performance.performance_id;
        let of_it = counts.iter().filter(|(kind, _)| kind.performance == id);
        of_performance((id, &performance.title), of_it, &names)
    });
    let now = lan.clock.boottime();
    let paces = locked(&lan.paces);
    let gates = status.gates.iter();
    let gates = gates.map(|gate| flow(gate, paces.of(gate.gate_id, now)));
    Ok(VenueCounts {
        performances: performances.collect(),
        gates: gates.collect(),
        cache_age_ms: status.cache_age_ms.filter(|_| status.mode != Mode::Online),
    })
}

/// What people call gates and categories.
struct Names<'a>(&'a [FeedEntry]);

impl Names<'_> {
    fn gate(&self, gate: GateId) -> String {
        let name = self.0.iter().find_map(|entry| match &entry.value {
            Some(Value::Gate(it)) if entry.subject == Subject::Gate(gate) => Some(it.name.clone()),
            _ => None,
        });
        name.unwrap_or_else(|| gate.to_string())
    }

    fn category(&self, performance: PerformanceId, code: CategoryCode) -> String {
        let subject = Subject::Performance(performance);
        let name = self.0.iter().find_map(|entry| match &entry.value {
            Some(Value::Performance(it)) if entry.subject == subject => it.category_name(code),
            _ => None,
        });
        name.map_or_else(|| code.to_string(), str::to_owned)
    }
}

fn of_performance<'a>(
    (id, title): (PerformanceId, &str),
    counts: impl Iterator<Item = (&'a TicketKind, &'a u64)>,
    names: &Names<'_>,
) -> PerformanceCounts {
    let mut zones = BTreeMap::<CategoryCode, (u64, u64)>::new();
    let mut gates = BTreeMap::<GateId, u64>::new();
    for (kind, tickets) in counts {
        let zone = zones.entry(kind.category).or_default();
        zone.1 += tickets;
        if let Some(gate) = kind.gate {
            zone.0 += tickets;
            *gates.entry(gate).or_default() += tickets;
        }
    }
    let zones = zones.into_iter().filter(|(_, (_, tickets))| *tickets > 0);
    let zones = zones.map(|(category, (inside, tickets))| ZoneCounts {
        category,
        name: names.category(id, category),
        inside,
        tickets,
    });
    let mut zones: Vec<_> = zones.collect();
    zones.sort_by(|one, other| one.name.cmp(&other.name));
    let by_gate = gates.into_iter().map(|(gate_id, inside)| InsideByGate {
        gate_id,
        name: names.gate(gate_id),
        inside,
    });
    let mut by_gate: Vec<_> = by_gate.collect();
    by_gate.sort_by(|one, other| one.name.cmp(&other.name));
    PerformanceCounts {
        performance_id: id,
        title: title.to_owned(),
        inside: zones.iter().map(|zone| zone.inside).sum(),
        tickets: zones.iter().map(|zone| zone.tickets).sum(),
        zones,
        by_gate,
    }
}

fn flow(gate: &GateStatus, pace: Pace) -> GateFlow {
    let millis =
        |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    GateFlow {
        gate_id: gate.gate_id,
        name: gate.name.clone(),
        admitted: gate.admitted,
        refused: gate.refused,
        left: gate.left,
        scans_last_minute: pace.last_minute,
        median_between_ms: pace.between.map(millis),
        median_answer_ms: pace.answer.map(millis),
        waited_ms: millis(pace.waited),
    }
}
