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
        venue_name: "Hall".to_owned(),
        owner_id: Uuid::from_u128(owner),
        org_id: org.map(str::to_owned),
        shared,
        category_sets: vec![set.iter().map(|code| code.parse().unwrap()).collect()],
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
