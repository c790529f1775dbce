//! The seat map and levels of a performance, put together from the read model.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::PricedCategory;
use eventify_contracts::inventory::LaidOutSeat;
use eventify_protocol::ids::{BucketId, EventId, PerformanceId, SeatId, VenueId};
use eventify_protocol::token::CategoryCode;
use serde::Serialize;

/// A performance as customers see it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Performance {
    pub(super) performance_id: PerformanceId,
    #[serde(skip)]
    pub(super) event_id: EventId,
    pub(super) start_time: DateTime<Utc>,
    pub(super) doors_at: Option<DateTime<Utc>>,
    pub(super) ends_at: Option<DateTime<Utc>>,
    pub(super) sales_opens_at: Option<DateTime<Utc>>,
    pub(super) sales_closes_at: Option<DateTime<Utc>>,
    pub(super) venue_id: VenueId,
    pub(super) venue_name: Option<String>,
    pub(super) cancelled: bool,
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
enum SeatState {
    Available,
    /// Held or sold.
    Taken,
    /// Not sold at this performance.
    Blocked,
}

impl Performance {
    /// Whether it can be bought now, if its event is published.
    fn is_on_sale(&self, now: DateTime<Utc>) -> bool {
        let opened = self.sales_opens_at.is_none_or(|opens| opens <= now);
        let closes = self.sales_closes_at.unwrap_or(self.start_time);
        !self.cancelled && opened && now < closes
    }
}

impl Availability {
    /// Puts seats (in the plan's order), claims and zones together.
    pub(super) fn of(
        performance: Performance,
        published: bool,
        seats: Vec<LaidOutSeat>,
        taken: &HashSet<SeatId>,
        zones: Vec<Zone>,
        now: DateTime<Utc>,
    ) -> Self {
        let on_sale = published && performance.is_on_sale(now);
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
mod tests {
    use uuid::Uuid;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn performance() -> Performance {
        Performance {
            performance_id: PerformanceId(Uuid::nil()),
            event_id: EventId(Uuid::nil()),
            start_time: "2026-06-01T20:00:00Z".parse().unwrap(),
            doors_at: None,
            ends_at: None,
            sales_opens_at: None,
            sales_closes_at: None,
            venue_id: VenueId(Uuid::nil()),
            venue_name: None,
            cancelled: false,
            categories: vec![],
        }
    }

    fn seat(id: u128, section: &str, row: &str, blocked: bool) -> LaidOutSeat {
        LaidOutSeat {
            seat_id: SeatId(Uuid::from_u128(id)),
            label: format!("{row}-{id}"),
            section: section.to_owned(),
            row: row.to_owned(),
            number: id.to_string(),
            categories: vec![],
            accessible: false,
            blocked,
        }
    }

    #[test]
    fn seats_stand_in_their_rows_and_sections_with_their_state() {
        let seats = vec![
            seat(1, "Left", "A", false),
            seat(2, "Left", "A", true),
            seat(3, "Left", "B", false),
            seat(4, "Right", "A", false),
        ];
        let taken = HashSet::from([SeatId(Uuid::from_u128(3))]);
        let zone = Zone {
            bucket_id: BucketId(Uuid::nil()),
            zone: "Floor".to_owned(),
            remaining: 7,
            capacity: 10,
            categories: vec![],
        };
        let left = Availability::of(performance(), true, seats, &taken, vec![zone], now());
        assert_eq!(
            (left.remaining, left.capacity, left.available),
            (9, 13, true)
        );
        let shape: Vec<_> = left
            .sections
            .iter()
            .map(|it| {
                (
                    it.section.as_str(),
                    it.rows.len(),
                    it.remaining,
                    it.capacity,
                )
            })
            .collect();
        assert_eq!(shape, [("Left", 2, 1, 2), ("Right", 1, 1, 1)]);
        let states: Vec<_> = left.sections[0].rows[0]
            .seats
            .iter()
            .map(|it| it.state)
            .collect();
        assert_eq!(states, [SeatState::Available, SeatState::Blocked]);
        assert_eq!(left.sections[0].rows[1].seats[0].state, SeatState::Taken);
    }

    #[test]
    fn on_sale_means_published_within_the_window_and_not_cancelled() {
        let at = |text: &str| Some(text.parse().unwrap());
        let usual = performance();
        let not_yet = Performance {
            sales_opens_at: at("2026-06-01T12:00:01Z"),
            ..performance()
        };
        let closed = Performance {
            sales_closes_at: at("2026-06-01T12:00:00Z"),
            ..performance()
        };
        let cancelled = Performance {
            cancelled: true,
            ..performance()
        };
        let begun = Performance {
            start_time: now(),
            ..performance()
        };
        for (performance, published, expected) in [
            (usual.clone(), true, true),
            (usual, false, false),
            (not_yet, true, false),
            (closed, true, false),
            (cancelled, true, false),
            (begun, true, false),
        ] {
            let seats = vec![seat(1, "S", "A", false)];
            let taken = HashSet::new();
            let left = Availability::of(performance, published, seats, &taken, vec![], now());
            assert_eq!(
                (left.on_sale, left.available),
                (expected, expected),
                "{left:?}"
            );
        }
    }

    #[test]
    fn a_search_text_stands_for_itself() {
        assert_eq!(contains(r"100%_a\b"), r"%100\%\_a\\b%");
    }
}
