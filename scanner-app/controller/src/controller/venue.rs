//! How many are inside, and how fast the gates are: asked for while the screen shows it.

use std::time::Duration;

use eventify_lan_client::ClientError;
use eventify_protocol::{
    lan::{GateFlow, PerformanceCounts, VenueCounts},
    time::BootTime,
};

use super::{Controller, kiosk::Overlay};
use crate::{
    io::{Call, CallId, PeopleCall},
    view::{GateInside, GatePace, PerformanceInside, Screen, VenueNumbers, ZoneInside},
};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(5);
/// What a gate should do: 8.3 guests a minute, so one in this time.
const BETWEEN_GUESTS_MS: u64 = 60_000 * 10 / 83;
/// Guests who come further apart are no queue.
const QUEUE_BETWEEN_MS: u64 = 20_000;

#[derive(Debug)]
pub(super) struct Numbers {
    call: Option<CallId>,
    numbers: Option<VenueNumbers>,
    failed: bool,
    look_at: BootTime,
}

impl Numbers {
    pub(super) fn next(&self) -> Option<BootTime> {
        self.call.is_none().then_some(self.look_at)
    }

    pub(super) fn view(&self) -> Screen {
        Screen::VenueCounts {
            numbers: self.numbers.clone(),
            failed: self.failed,
        }
    }
}

impl Controller {
    pub(super) fn show_counts(&mut self, now: BootTime) {
        self.overlay = Overlay::Numbers(Numbers {
            call: None,
            numbers: None,
            failed: false,
            look_at: now,
        });
        self.tick_counts(now);
    }

    pub(super) fn tick_counts(&mut self, now: BootTime) {
        if let Overlay::Numbers(numbers) = &mut self.overlay
            && numbers.call.is_none()
            && numbers.look_at <= now
        {
            numbers.call = Some(self.out.call(Call::People(PeopleCall::Counts)));
        }
    }

    pub(super) fn on_counted(
        &mut self,
        call: CallId,
        result: Result<Box<VenueCounts>, ClientError>,
        now: BootTime,
    ) {
        let Overlay::Numbers(numbers) = &mut self.overlay else {
            return;
        };
        if numbers.call.take_if(|id| *id == call).is_none() {
            return;
        }
        numbers.look_at = now.plus(LOOK);
        numbers.failed = result.is_err();
        if let Ok(counts) = result {
            numbers.numbers = Some(numbers_of(*counts));
        }
    }
}

fn numbers_of(counts: VenueCounts) -> VenueNumbers {
    VenueNumbers {
        performances: counts.performances.into_iter().map(performance).collect(),
        gates: counts.gates.into_iter().map(pace).collect(),
        cache_age_ms: counts.cache_age_ms,
    }
}

fn performance(counts: PerformanceCounts) -> PerformanceInside {
    let zones = counts.zones.into_iter().map(|zone| ZoneInside {
        name: zone.name,
        inside: zone.inside,
        tickets: zone.tickets,
    });
    let gates = counts.by_gate.into_iter().map(|gate| GateInside {
        gate_id: gate.gate_id.to_string(),
        name: gate.name,
        inside: gate.inside,
    });
    PerformanceInside {
        performance_id: counts.performance_id.to_string(),
        title: counts.title,
        inside: counts.inside,
        tickets: counts.tickets,
        zones: zones.collect(),
        by_gate: gates.collect(),
    }
}

fn pace(flow: GateFlow) -> GatePace {
    // A median is of three scans at least. Without a queue a gate may be as slow as its guests.
    let slow = flow
        .median_between_ms
        .is_some_and(|between| between > BETWEEN_GUESTS_MS && between <= QUEUE_BETWEEN_MS);
    GatePace {
        gate_id: flow.gate_id.to_string(),
        name: flow.name,
        admitted: flow.admitted,
        refused: flow.refused,
        left: flow.left,
        per_minute: flow.scans_last_minute,
        between_ms: flow.median_between_ms,
        waited_ms: flow.waited_ms,
        slow: slow && flow.scans_last_minute > 0,
    }
}
