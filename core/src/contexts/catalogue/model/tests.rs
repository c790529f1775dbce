//! The seat map that customers see.

use uuid::Uuid;

use super::*;

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn performance() -> Performance {
    Performance {
        performance_id: PerformanceId(Uuid::nil()),
        start_time: "2026-06-01T20:00:00Z".parse().unwrap(),
        doors_at: None,
        ends_at: None,
        sales_opens_at: None,
        sales_closes_at: None,
        venue_id: VenueId(Uuid::nil()),
        time_zone: "Europe/Paris".parse().unwrap(),
        venue_name: None,
        cancelled: false,
        sale_stopped: false,
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
    let version = performance().map_version(7, true, now());
    let left = Availability::of(performance(), version, seats, &taken, vec![zone]);
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
        let version = performance.map_version(7, published, now());
        let left = Availability::of(performance, version, seats, &taken, vec![]);
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
