use eventify_protocol::ids::EventId;
use serde_json::json;

use super::super::event::{Details, Status};
use super::*;

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn plan(id: u128, owner: u128, org: Option<&str>, shared: bool, set: &[&str]) -> KnownPlan {
    KnownPlan {
        id: SeatingPlanId(Uuid::from_u128(id)),
        venue: VenueId(Uuid::from_u128(1)),
        zone: TimeZone::UTC,
        venue_name: "Hall".to_owned(),
        owner_id: Uuid::from_u128(owner),
        org_id: org.map(str::to_owned),
        shared,
        category_sets: vec![set.iter().map(|code| code.parse().unwrap()).collect()],
        seats: 0,
        zones: 0,
    }
}

fn choose(known: &[KnownPlan], wanted: Option<u128>) -> Result<u128, ScheduleError> {
    let event = Event {
        id: EventId(Uuid::nil()),
        owner_id: Uuid::from_u128(1),
        org_id: Some("opera".to_owned()),
        details: Details {
            title: "Tosca".to_owned(),
            description: String::new(),
            city: None,
            tags: vec![],
        },
        status: Status::Draft,
        created_at: now(),
        updated_at: now(),
        version: 1,
    };
    let prices = json!({ "categories": [
        { "name": "FULL", "price": { "currency": "EUR", "amount": "1.00" } }
    ] });
    let pricing = PricingScheme::define(
        PricingSchemeId(Uuid::nil()),
        serde_json::from_value(prices).unwrap(),
    )
    .unwrap();
    let wanted = wanted.map(|id| SeatingPlanId(Uuid::from_u128(id)));
    choose_plan(known, wanted, &event, &pricing).map(|plan| plan.id.as_uuid().as_u128())
}

#[test]
fn the_only_plan_need_not_be_named() {
    let (first, second) = (plan(1, 1, None, false, &[]), plan(2, 1, None, false, &[]));
    assert_eq!(choose(std::slice::from_ref(&first), None), Ok(1));
    let both = [first, second];
    assert_eq!(choose(&both, None), Err(ScheduleError::PlanNotNamed));
    assert_eq!(choose(&both, Some(2)), Ok(2));
    assert_eq!(choose(&both, Some(3)), Err(ScheduleError::UnknownPlan));
    assert_eq!(choose(&[], Some(3)), Err(ScheduleError::UnknownVenue));
}

#[test]
fn a_venue_is_used_by_its_owner_its_organisation_or_everybody() {
    for (plan, may) in [
        (plan(1, 1, None, false, &[]), true),
        (plan(1, 2, Some("opera"), false, &[]), true),
        (plan(1, 2, Some("circus"), false, &[]), false),
        (plan(1, 2, None, false, &[]), false),
        (plan(1, 2, None, true, &[]), true),
    ] {
        assert_eq!(
            choose(std::slice::from_ref(&plan), None).is_ok(),
            may,
            "{plan:?}"
        );
    }
}

#[test]
fn something_must_be_on_sale() {
    let unsold = [plan(1, 1, None, false, &["BOX"])];
    assert_eq!(choose(&unsold, None), Err(ScheduleError::NothingOnSale));
    assert_eq!(
        choose(&[plan(1, 1, None, false, &["BOX", "FULL"])], None),
        Ok(1)
    );
}

const MARGINS: Margins = Margins {
    before_doors: chrono::TimeDelta::minutes(30),
    after_start: chrono::TimeDelta::hours(6),
};

/// At eight in the evening; doors at seven.
fn performance(start: &str) -> Performance {
    let start: DateTime<Utc> = start.parse().unwrap();
    Performance {
        id: PerformanceId(Uuid::nil()),
        times: times(start),
        venue: VenueId(Uuid::nil()),
        zone: TimeZone::UTC,
        plan: SeatingPlanId(Uuid::nil()),
        pricing: PricingSchemeId(Uuid::nil()),
        cancelled: false,
        awaits_venue: false,
        confirmed_version: 0,
        declined_version: 0,
        first_admits_until: None,
        reentry: false,
        restarts_at: None,
        created_at: now(),
        updated_at: now(),
        version: 1,
    }
}

fn times(start: DateTime<Utc>) -> Times {
    Times {
        start,
        doors: start - chrono::TimeDelta::hours(1),
        end: None,
        sales_open: None,
        sales_close: None,
    }
}

/// C08: the show broke off, and those who were inside see it another day.
#[test]
fn a_show_that_broke_off_begins_again_and_one_that_is_late_goes_on() {
    let of = |start: &str| times(start.parse().unwrap());
    let at: DateTime<Utc> = "2026-06-01T20:40:00Z".parse().unwrap();
    let tonight = || performance("2026-06-01T20:00:00Z");
    let move_to =
        |show: Performance, start: &str, now| show.moved(of(start), false, MARGINS, now).unwrap();
    let tomorrow = move_to(tonight(), "2026-06-02T20:00:00Z", at);
    let gates_know = at + MAX_CACHE_AGE;
    assert_eq!(tomorrow.restarts_at, Some(gates_know));
    let late = move_to(tonight(), "2026-06-01T22:00:00Z", at);
    assert_eq!(late.restarts_at, None, "its guests sit in the hall");
    let before_doors = "2026-06-01T12:00:00Z".parse().unwrap();
    let postponed = move_to(tonight(), "2026-06-02T20:00:00Z", before_doors);
    assert_eq!(postponed.restarts_at, None, "nobody was inside");
    let further = move_to(tomorrow.clone(), "2026-06-09T20:00:00Z", at);
    assert_eq!(further.restarts_at, Some(gates_know), "moved once more");
    let after_all = move_to(tomorrow, "2026-06-01T21:00:00Z", at);
    assert_eq!(after_all.restarts_at, None, "played tonight after all");
}

#[test]
fn reentry_stays_as_it_was_where_nothing_is_said() {
    let allowed = performance("2026-06-01T20:00:00Z").with_reentry(Some(Reentry::Allowed));
    assert!(allowed.clone().with_reentry(None).reentry);
    assert!(!allowed.with_reentry(Some(Reentry::None)).reentry);
}
