//! The seat map and levels of a performance, put together from the read model.

pub(super) mod maps;

use std::collections::HashSet;

use chrono::{DateTime, FixedOffset, Utc};
use eventify_contracts::event_management::PricedCategory;
use eventify_contracts::inventory::LaidOutSeat;
use eventify_protocol::ids::{BucketId, PerformanceId, SeatId, VenueId};
use eventify_protocol::token::CategoryCode;
use eventify_protocol::zone::TimeZone;
use serde::Serialize;

use self::maps::MapVersion;

/// A performance as customers see it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Performance {
    pub(super) performance_id: PerformanceId,
    pub(super) start_time: DateTime<Utc>,
    pub(super) doors_at: Option<DateTime<Utc>>,
    pub(super) ends_at: Option<DateTime<Utc>>,
    pub(super) sales_opens_at: Option<DateTime<Utc>>,
    pub(super) sales_closes_at: Option<DateTime<Utc>>,
    pub(super) venue_id: VenueId,
    pub(super) venue_name: Option<String>,
    /// The venue's, by its name in the tz database.
    pub(super) time_zone: TimeZone,
    pub(super) cancelled: bool,
    /// Its venue does not admit to it as it is planned now: it is not sold until the venue confirms it.
    pub(super) sale_stopped: bool,
    pub(super) categories: Vec<PricedCategory>,
}

/// A zone with what is left of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Zone {
    pub(super) bucket_id: BucketId,
    pub(super) zone: String,
    pub(super) remaining: u32,
    pub(super) capacity: u32,
    pub(super) categories: Vec<CategoryCode>,
}

/// What is left of a performance.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Availability {
    performance_id: PerformanceId,
    /// For `?since=`: what has changed after this one.
    version: i64,
    /// Something is left, and it can be bought now.
    available: bool,
    /// It can be bought now: published, not cancelled, within its sales window.
    on_sale: bool,
    remaining: u32,
    capacity: u32,
    categories: Vec<PricedCategory>,
    sections: Vec<Section>,
    zones: Vec<Zone>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Section {
    section: String,
    remaining: u32,
    capacity: u32,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    row: String,
    seats: Vec<Seat>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Seat {
    seat_id: SeatId,
    label: String,
    number: String,
    state: SeatState,
    categories: Vec<CategoryCode>,
    accessible: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SeatState {
    Available,
    /// Held or sold.
    Taken,
    /// Not sold at this performance.
    Blocked,
}

/// The same instants as the venue's clocks show them, so that a client needs no tz database.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LocalTimes {
    start_time_local: DateTime<FixedOffset>,
    doors_at_local: Option<DateTime<FixedOffset>>,
    ends_at_local: Option<DateTime<FixedOffset>>,
    sales_opens_at_local: Option<DateTime<FixedOffset>>,
    sales_closes_at_local: Option<DateTime<FixedOffset>>,
}

impl Performance {
    pub(super) fn local_times(&self) -> LocalTimes {
        let zone = self.time_zone;
        let local = |at: Option<DateTime<Utc>>| at.map(|at| zone.local(at));
        LocalTimes {
            start_time_local: zone.local(self.start_time),
            doors_at_local: local(self.doors_at),
            ends_at_local: local(self.ends_at),
            sales_opens_at_local: local(self.sales_opens_at),
            sales_closes_at_local: local(self.sales_closes_at),
        }
    }

    /// Whether it can be bought now, if its event is published.
    fn is_on_sale(&self, now: DateTime<Utc>) -> bool {
        let opened = self.sales_opens_at.is_none_or(|opens| opens <= now);
        let closes = self.sales_closes_at.unwrap_or(self.start_time);
        !self.cancelled && !self.sale_stopped && opened && now < closes
    }

    /// What its map shows now.
    pub(super) fn map_version(
        &self,
        number: i64,
        published: bool,
        now: DateTime<Utc>,
    ) -> MapVersion {
        let on_sale = published && self.is_on_sale(now);
        MapVersion { number, on_sale }
    }
}

impl Availability {
    /// Puts seats (in the plan's order), claims and zones together.
    pub(super) fn of(
        performance: Performance,
        MapVersion { number, on_sale }: MapVersion,
        seats: Vec<LaidOutSeat>,
        taken: &HashSet<SeatId>,
        zones: Vec<Zone>,
    ) -> Self {
        let mut sections = Vec::new();
        for seat in seats {
            let state = match (seat.blocked, taken.contains(&seat.seat_id)) {
                (true, _) => SeatState::Blocked,
                (false, true) => SeatState::Taken,
                (false, false) => SeatState::Available,
            };
            add_seat(&mut sections, seat, state);
        }
        let levels = || {
            let of_sections = sections
                .iter()
                .map(|it: &Section| (it.remaining, it.capacity));
            of_sections.chain(zones.iter().map(|zone| (zone.remaining, zone.capacity)))
        };
        let remaining = levels().map(|(remaining, _)| remaining).sum();
        let capacity = levels().map(|(_, capacity)| capacity).sum();
        Self {
            performance_id: performance.performance_id,
            version: number,
            available: on_sale && remaining > 0,
            on_sale,
            remaining,
            capacity,
            categories: performance.categories,
            sections,
            zones,
        }
    }
}

/// What has changed since a version. A client that gets a map without `since` takes it instead.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changes {
    performance_id: PerformanceId,
    version: i64,
    since: i64,
    on_sale: bool,
    seats: Vec<ChangedSeat>,
    /// All of them.
    zones: Vec<Zone>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangedSeat {
    pub(super) seat_id: SeatId,
    pub(super) state: SeatState,
}

impl Changes {
    pub(super) fn of(
        performance_id: PerformanceId,
        since: i64,
        MapVersion { number, on_sale }: MapVersion,
        seats: Vec<ChangedSeat>,
        zones: Vec<Zone>,
    ) -> Self {
        Self {
            performance_id,
            version: number,
            since,
            on_sale,
            seats,
            zones,
        }
    }
}

/// Seats of one row follow each other in the plan's order; so do rows of one section.
fn add_seat(sections: &mut Vec<Section>, seat: LaidOutSeat, state: SeatState) {
    let section = match sections.last_mut() {
        Some(last) if last.section == seat.section => last,
        _ => sections.push_mut(Section {
            section: seat.section,
            remaining: 0,
            capacity: 0,
            rows: Vec::new(),
        }),
    };
    section.capacity += u32::from(state != SeatState::Blocked);
    section.remaining += u32::from(state == SeatState::Available);
    let row = match section.rows.last_mut() {
        Some(last) if last.row == seat.row => last,
        _ => section.rows.push_mut(Row {
            row: seat.row,
            seats: Vec::new(),
        }),
    };
    row.seats.push(Seat {
        seat_id: seat.seat_id,
        label: seat.label,
        number: seat.number,
        state,
        categories: seat.categories,
        accessible: seat.accessible,
    });
}

/// A pattern for `like` that finds this text anywhere.
pub(super) fn contains(text: &str) -> String {
    let escaped = text
        .replace('\\', r"\\")
        .replace('%', r"\%")
        .replace('_', r"\_");
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests;
