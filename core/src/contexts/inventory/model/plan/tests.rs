use serde_json::{Value, json};

use super::*;

fn define(spec: Value) -> Result<Plan, PlanError> {
    let mut last = 0;
    Plan::define(serde_json::from_value(spec).unwrap(), || {
        last += 1;
        Uuid::from_u128(last)
    })
}

fn labels(plan: &Plan) -> Vec<&str> {
    plan.seats.iter().map(|seat| seat.label.as_str()).collect()
}

#[test]
fn a_hall_and_a_standing_zone_come_in_one_request() {
    let rows: Vec<_> = ('A'..='T')
        .map(|row| json!({ "row": row, "seats": 25 }))
        .collect();
    let plan = define(json!({
        "name": "Hall",
        "sections": [{ "section": "Stalls", "rows": rows, "categories": ["STALLS"] }],
        "zones": [{ "zone": "Floor", "capacity": 1000, "categories": ["FLOOR"] }],
    }))
    .unwrap();
    assert_eq!((plan.seats.len(), plan.zone_capacity()), (500, 1000));
    assert_eq!((labels(&plan)[0], labels(&plan)[499]), ("A-1", "T-25"));
    assert_eq!(plan.category_sets().len(), 2);
}

#[test]
fn labels_name_the_section_only_where_they_must() {
    let section = |name: &str| json!({ "section": name, "rows": [{ "row": "A", "seats": ["1"] }] });
    let one = define(json!({ "name": "p", "sections": [section("Left")] })).unwrap();
    assert_eq!(labels(&one), ["A-1"]);
    let two = define(json!({ "name": "p", "sections": [section("Left"), section("Right")] }));
    assert_eq!(labels(&two.unwrap()), ["Left-A-1", "Right-A-1"]);
    let same = define(json!({ "name": "p", "sections": [section("Left"), section("Left")] }));
    assert_eq!(same.unwrap_err().issue, "must not have seat Left-A-1 twice");
}

/// One seat has one label, however it was typed.
#[test]
fn labels_are_in_one_form_and_differ_in_more_than_case() {
    let rows =
        |rows: Value| json!({ "name": "p", "sections": [{ "section": " Left ", "rows": rows }] });
    let typed = rows(json!([{ "row": "E\u{301}", "seats": ["1 "], "blocked": ["1"] }]));
    let plan = define(typed).unwrap();
    assert_eq!(labels(&plan), ["\u{c9}-1"]);
    assert!(plan.seats[0].blocked && plan.seats[0].section == "Left");
    for twins in [["a", "A"], ["A", "Ａ"], ["\u{e9}", "E\u{301}"]] {
        let [first, second] = twins.map(|row| json!({ "row": row, "seats": 1 }));
        let refused = define(rows(json!([first, second]))).unwrap_err();
        assert!(
            refused.issue.starts_with("must not have seat Left-"),
            "{refused}"
        );
    }
}

#[test]
fn flags_belong_to_seats_of_the_row() {
    let row = json!({ "row": "A", "seats": 3, "accessible": ["1"], "blocked": ["3"] });
    let spec = json!({ "name": "p", "sections": [{ "section": "S", "rows": [row] }] });
    let plan = define(spec).unwrap();
    let flags: Vec<_> = plan
        .seats
        .iter()
        .map(|seat| (seat.accessible, seat.blocked))
        .collect();
    assert_eq!(flags, [(true, false), (false, false), (false, true)]);
    let row = json!({ "row": "A", "seats": 3, "blocked": ["4"] });
    let spec = json!({ "name": "p", "sections": [{ "section": "S", "rows": [row] }] });
    assert_eq!(
        define(spec).unwrap_err().field,
        "sections[0].rows[0].blocked"
    );
}

#[test]
fn limits_are_named_by_field() {
    let with_row =
        |row: Value| json!({ "name": "p", "sections": [{ "section": "S", "rows": [row] }] });
    for (spec, field) in [
        (json!({ "name": "p" }), "sections"),
        (
            json!({ "name": "p\u{200b}", "zones": [{ "zone": "Z", "capacity": 1 }] }),
            "name",
        ),
        // A letter to Unicode, and nothing to whoever looks for the seat.
        (
            with_row(json!({ "row": "A\u{3164}b", "seats": 1 })),
            "sections[0].rows[0].row",
        ),
        (
            with_row(json!({ "row": "A", "seats": ["1", "2\u{115f}"] })),
            "sections[0].rows[0].seats",
        ),
        (
            json!({ "name": "p", "zones": [
                { "zone": "Café", "capacity": 1 }, { "zone": "CAFE\u{301}\u{a0}", "capacity": 1 }
            ] }),
            "zones[1].zone",
        ),
        (
            with_row(json!({ "row": "A", "seats": 501 })),
            "sections[0].rows[0].seats",
        ),
        (
            with_row(json!({ "row": "A", "seats": 0 })),
            "sections[0].rows[0].seats",
        ),
        (
            with_row(json!({ "row": "A-B", "seats": 1 })),
            "sections[0].rows[0].row",
        ),
        (
            json!({ "name": "p", "zones": [{ "zone": "Z", "capacity": 0 }] }),
            "zones[0].capacity",
        ),
        (
            json!({ "name": "p", "zones": [
                { "zone": "Z", "capacity": 1 }, { "zone": "Z", "capacity": 1 }
            ] }),
            "zones[1].zone",
        ),
    ] {
        assert_eq!(define(spec.clone()).unwrap_err().field, field, "{spec}");
    }
}
