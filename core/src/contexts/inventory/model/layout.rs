//! What a performance sells of its seating plan: each place in the categories that are both allowed
//! for it and priced.

use eventify_contracts::inventory::{LaidOutSeat, LaidOutZone, SeatingLaidOut};
use eventify_protocol::ids::PerformanceId;
use eventify_protocol::token::CategoryCode;

use super::plan::{Seat, Zone};

/// Seats in one message: about 100 KiB of JSON.
const SEATS_PER_PART: usize = 500;

/// The categories in which a place is sold; a place that names none takes all that are priced.
pub(crate) fn sold_in(allowed: &[CategoryCode], priced: &[CategoryCode]) -> Vec<CategoryCode> {
    let fits = |code: &&CategoryCode| allowed.is_empty() || allowed.contains(code);
    priced.iter().filter(fits).copied().collect()
}

/// Seats and zones with the categories of one performance; what has none is not on sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) seats: Vec<Seat>,
    pub(crate) zones: Vec<Zone>,
}

impl Layout {
    /// Prices a plan for a performance.
    pub(crate) fn price(seats: Vec<Seat>, zones: Vec<Zone>, priced: &[CategoryCode]) -> Self {
        let price_seat = |seat: Seat| {
            let categories = sold_in(&seat.categories, priced);
            Seat {
                blocked: seat.blocked || categories.is_empty(),
                categories,
                ..seat
            }
        };
        let price_zone = |zone: Zone| {
            let categories = sold_in(&zone.categories, priced);
            let capacity = if categories.is_empty() {
                0
            } else {
                zone.capacity
            };
            Zone {
                capacity,
                categories,
                ..zone
            }
        };
        let seats = seats.into_iter().map(price_seat).collect();
        let zones = zones.into_iter().map(price_zone).collect();
        Self { seats, zones }
    }

    /// The messages to publish, each of bounded size.
    pub(crate) fn parts(&self, performance: PerformanceId) -> Vec<SeatingLaidOut> {
        let mut chunks: Vec<&[Seat]> = self.seats.chunks(SEATS_PER_PART).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        let parts = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        (0..)
            .zip(chunks)
            .map(|(part, seats)| SeatingLaidOut {
                performance_id: performance,
                part,
                parts,
                seats: seats.iter().map(laid_out_seat).collect(),
                zones: if part == 0 {
                    self.zones.iter().map(laid_out_zone).collect()
                } else {
                    vec![]
                },
            })
            .collect()
    }
}

fn laid_out_seat(seat: &Seat) -> LaidOutSeat {
    LaidOutSeat {
        seat_id: seat.id,
        label: seat.label.clone(),
        section: seat.section.clone(),
        row: seat.row.clone(),
        number: seat.number.clone(),
        categories: seat.categories.clone(),
        accessible: seat.accessible,
        blocked: seat.blocked,
    }
}

fn laid_out_zone(zone: &Zone) -> LaidOutZone {
    LaidOutZone {
        bucket_id: zone.id,
        zone: zone.zone.clone(),
        capacity: zone.capacity,
        categories: zone.categories.clone(),
    }
}

#[cfg(test)]
mod tests {
    use eventify_kernel::bus::MAX_MESSAGE_BYTES;
    use eventify_protocol::ids::{BucketId, SeatId};
    use uuid::Uuid;

    use super::super::plan::{MAX_CATEGORIES, MAX_NAME, MAX_NUMBER, MAX_ZONE_CAPACITY, MAX_ZONES};
    use super::*;

    fn codes(list: &[&str]) -> Vec<CategoryCode> {
        list.iter().map(|code| code.parse().unwrap()).collect()
    }

    fn seat(number: u128, categories: &[&str]) -> Seat {
        Seat {
            id: SeatId(Uuid::from_u128(number)),
            section: "S".to_owned(),
            row: "A".to_owned(),
            number: number.to_string(),
            label: format!("A-{number}"),
            categories: codes(categories),
            accessible: false,
            blocked: false,
        }
    }

    #[test]
    fn a_place_is_sold_in_categories_that_are_allowed_and_priced() {
        let priced = codes(&["FULL", "CHILD", "VIP"]);
        assert_eq!(sold_in(&[], &priced), priced);
        assert_eq!(sold_in(&codes(&["VIP", "BOX"]), &priced), codes(&["VIP"]));
        assert_eq!(sold_in(&codes(&["BOX"]), &priced), []);
    }

    #[test]
    fn what_has_no_price_is_not_on_sale() {
        let zone = |id, code| Zone {
            id: BucketId(Uuid::from_u128(id)),
            zone: id.to_string(),
            capacity: 10,
            categories: codes(&[code]),
        };
        let (seats, zones) = (
            vec![seat(1, &["BOX"]), seat(2, &[])],
            vec![zone(1, "BOX"), zone(2, "FULL")],
        );
        let layout = Layout::price(seats, zones, &codes(&["FULL"]));
        let parts = layout.parts(PerformanceId(Uuid::nil()));
        let blocked: Vec<_> = parts[0].seats.iter().map(|seat| seat.blocked).collect();
        assert_eq!(blocked, [true, false]);
        let capacities: Vec<_> = parts[0].zones.iter().map(|zone| zone.capacity).collect();
        assert_eq!(capacities, [0, 10]);
    }

    #[test]
    fn a_large_hall_is_published_in_parts_and_a_field_in_one() {
        let seats: Vec<_> = (0..1001).map(|number| seat(number, &[])).collect();
        let parts = Layout::price(seats, vec![], &[]).parts(PerformanceId(Uuid::nil()));
        let sizes: Vec<_> = parts
            .iter()
            .map(|part| (part.part, part.seats.len()))
            .collect();
        assert_eq!(sizes, [(0, 500), (1, 500), (2, 1)]);
        assert!(parts.iter().all(|part| part.parts == 3));
        let field = Layout::price(vec![], vec![], &[]).parts(PerformanceId(Uuid::nil()));
        assert_eq!(field.len(), 1);
    }

    /// The broker refuses larger messages of anybody, ours included (DECISIONS 67).
    #[test]
    fn the_largest_part_of_a_plan_fits_four_times_into_a_message() {
        let codes: Vec<CategoryCode> = (0..MAX_CATEGORIES)
            .map(|code| format!("{code:0>16}").parse().unwrap())
            .collect();
        let name = "\u{10000}".repeat(MAX_NAME);
        let seats = (0..).take(SEATS_PER_PART + 1).map(|number: u128| {
            let (row, number) = ("R".repeat(MAX_NUMBER), format!("{number:0>MAX_NUMBER$}"));
            Seat {
                id: SeatId(Uuid::from_u128(u128::MAX)),
                label: format!("{name}-{row}-{number}"),
                section: name.clone(),
                row,
                number,
                categories: codes.clone(),
                accessible: false,
                blocked: false,
            }
        });
        let zones = (0..MAX_ZONES).map(|_| Zone {
            id: BucketId(Uuid::from_u128(u128::MAX)),
            zone: name.clone(),
            capacity: MAX_ZONE_CAPACITY,
            categories: codes.clone(),
        });
        let layout = Layout::price(seats.collect(), zones.collect(), &codes);
        let parts = layout.parts(PerformanceId(Uuid::from_u128(u128::MAX)));
        let bytes = parts
            .iter()
            .map(|part| serde_json::to_vec(part).unwrap().len());
        let bytes = bytes.max().unwrap();
        assert!(
            bytes > 500_000 && bytes < MAX_MESSAGE_BYTES / 4,
            "{bytes} bytes"
        );
    }
}
