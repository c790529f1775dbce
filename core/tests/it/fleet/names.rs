//! Names at a venue: two that look the same are one.

use reqwest::Method;
use serde_json::{Value, json};

use crate::fleet::world::Venue;
use crate::world::send;

/// Of "Café gate", all of which it was taken for.
const TWINS: [&str; 10] = [
    "Café gate",
    "Cafe\u{301} gate",
    "CAFÉ Gate",
    "Café\u{200d} gate",
    "Café gate\u{200c}",
    "Café gate\u{fe0f}",
    "Café\u{a0}gate",
    "Café  gate",
    "Café\u{2009}gate",
    " Café gate ",
];

/// A venue had ten gates of one name, and a guest was sent to the wrong door.
#[tokio::test(flavor = "multi_thread")]
async fn a_venue_has_no_two_gates_or_nodes_that_people_take_for_one() {
    let venue = Venue::open().await;
    let user = venue.owner();
    let gate = |name: &str| json!({ "venueId": venue.id, "name": name });
    let node = |label: &str| json!({ "venueId": venue.id, "label": label, "gates": [] });
    for (path, field, body) in [
        ("/fleet/gates", "name", &gate as &dyn Fn(&str) -> Value),
        ("/fleet/nodes", "label", &node),
    ] {
        let first = user
            .post(path, body("  Cafe\u{301}\u{a0} gate"))
            .await
            .expect(201);
        assert_eq!(first[field], "Café gate", "in one form");
        for twin in TWINS {
            let refused = user.post(path, body(twin)).await;
            refused.assert_refused(409, "name_taken");
            let said = refused.error().message;
            assert!(said.ends_with("'Café gate'"), "{said}");
        }
        user.post(path, body("Cafe gate")).await.expect(201);
        let hidden = user.post(path, body("Café\u{202e}gate")).await;
        hidden.assert_refused(400, "validation_error");
        let said = hidden.error().message;
        assert!(
            said.starts_with(&format!("'{field}': must not have U+202E, its character 5")),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_may_get_its_own_name_in_another_form_and_nobody_elses() {
    let venue = Venue::open().await;
    let user = venue.owner();
    let gate = json!({ "venueId": venue.id, "name": "North" });
    let north = user.post("/fleet/gates", gate).await.expect(201);
    let gate = json!({ "venueId": venue.id, "name": "South" });
    user.post("/fleet/gates", gate).await.expect(201);
    let path = format!("/fleet/gates/{}", north["gateId"].as_str().unwrap());
    let rename = |name: &'static str, version: &'static str| {
        let body = json!({ "name": name, "performances": [], "categories": [] });
        let request = user.request(Method::PUT, &path).json(&body);
        send(request.header("If-Match", format!("\"{version}\"")))
    };
    rename("SOUTH", "1").await.assert_refused(409, "name_taken");
    let renamed = rename("NORTH", "1").await.expect(200);
    assert_eq!(renamed["name"], "NORTH");
}
