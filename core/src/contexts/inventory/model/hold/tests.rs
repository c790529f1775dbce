use uuid::Uuid;

use super::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn request(seats: &[&str], quantities: &[u32]) -> HoldRequest {
    let bucket = BucketId(Uuid::from_u128(9));
    HoldRequest {
        hold: HoldId(Uuid::from_u128(1)),
        attempt: AttemptId(Uuid::from_u128(4)),
        owner: Uuid::from_u128(3),
        customer: None,
        performance: PerformanceId(Uuid::from_u128(2)),
        seats: seats
            .iter()
            .map(|seat| SeatWanted {
                seat: SeatRef::parse(seat),
                category: None,
            })
            .collect(),
        buckets: quantities
            .iter()
            .map(|&quantity| BucketWanted {
                bucket,
                quantity,
                category: None,
            })
            .collect(),
        expires_at: now() + Duration::minutes(10),
    }
}

#[test]
fn refuses_what_needs_no_stock_to_refuse() {
    assert!(request(&["A-1", "A-2"], &[2]).check(now()).is_ok());
    let many: Vec<_> = (0..=MAX_PLACES_PER_HOLD)
        .map(|seat| format!("A-{seat}"))
        .collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for (request, field) in [
        (request(&[], &[]), "seats"),
        (request(&many, &[]), "seats"),
        (request(&["A-1", "A-1"], &[]), "seats"),
        (request(&[], &[0]), "buckets"),
        (request(&[], &[MAX_UNITS_PER_BUCKET + 1]), "buckets"),
        (
            HoldRequest {
                expires_at: now(),
                ..request(&["A-1"], &[])
            },
            "expiresAt",
        ),
    ] {
        match request.check(now()) {
            Err(HoldRefusal::Invalid { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn a_repeat_has_the_same_fingerprint_whenever_it_ends_and_however_it_is_sorted() {
    let first = request(&["A-1", "A-2"], &[2]);
    let later = HoldRequest {
        expires_at: now() + Duration::hours(1),
        ..first.clone()
    };
    assert_eq!(first.fingerprint(), later.fingerprint());
    assert_eq!(
        first.fingerprint(),
        request(&["A-2", "A-1"], &[2]).fingerprint()
    );
    assert_ne!(first.fingerprint(), request(&["A-1"], &[2]).fingerprint());
    let anothers = HoldRequest {
        owner: Uuid::from_u128(4),
        ..first.clone()
    };
    assert_ne!(first.fingerprint(), anothers.fingerprint());
    assert_ne!(
        first.fingerprint(),
        request(&["A-1", "A-2"], &[3]).fingerprint()
    );
}

#[test]
fn units_of_a_zone_are_added_up_over_categories() {
    let units: Vec<_> = request(&[], &[2, 3]).units().into_values().collect();
    assert_eq!(units, [5]);
}

#[test]
fn a_service_account_gets_one_to_fifteen_minutes() {
    assert!(expiry_after(59, now()).is_err());
    assert_eq!(
        expiry_after(60, now()).unwrap(),
        now() + Duration::seconds(60)
    );
    assert_eq!(
        expiry_after(900, now()).unwrap(),
        now() + Duration::seconds(900)
    );
    assert!(expiry_after(901, now()).is_err());
}

#[test]
fn the_only_category_needs_no_choice() {
    let full: CategoryCode = "FULL".parse().unwrap();
    let child: CategoryCode = "CHILD".parse().unwrap();
    assert_eq!(choose_category("A-1", None, &[full]).unwrap(), Some(full));
    assert_eq!(choose_category("A-1", None, &[full, child]).unwrap(), None);
    assert_eq!(
        choose_category("A-1", Some(child), &[full, child]).unwrap(),
        Some(child)
    );
    assert!(choose_category("A-1", Some(child), &[full]).is_err());
}

#[test]
fn a_uuid_is_an_id_and_the_rest_are_labels() {
    let id = Uuid::from_u128(7);
    assert_eq!(SeatRef::parse(&id.to_string()), SeatRef::Id(SeatId(id)));
    assert_eq!(SeatRef::parse("A-12"), SeatRef::Label("A-12".to_owned()));
}
