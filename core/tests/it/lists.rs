//! Lists come in pages: every one, by the table of routes.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::replies::Page;
use crate::world::sale::Sale;
use crate::world::{TestApp, made, product};

/// `GET`s that answer one thing, or one document of bounded length.
const NO_LISTS: [&str; 25] = [
    "/.well-known/eventify/keys",
    "/catalog/events/{eventId}",
    "/catalog/performances/{performanceId}/availability",
    "/events/{eventId}",
    "/events/{eventId}/performances/{performanceId}",
    "/fleet/gates/{gateId}",
    "/fleet/nodes/{nodeId}",
    "/fleet/venues/{venueId}",
    "/fleet/venues/{venueId}/reconciliation",
    "/fleet/venues/{venueId}/staff/{personId}",
    "/inventory/holds/{holdId}",
    "/inventory/performances/{performanceId}",
    "/me",
    "/orders/{order_id}",
    "/orders/{order_id}/refunds/{refund_id}",
    "/payments/comparisons/{comparison_id}",
    "/payments/open-items/{item_id}",
    "/payments/{payment_id}",
    "/reservations/{reservation_id}",
    "/seating-plans/{seatingPlanId}",
    "/tickets/{ticket_id}",
    "/tickets/{ticket_id}/qr.png",
    "/tickets/{ticket_id}/qr.svg",
    "/tickets/{ticket_id}/token",
    "/venues/{venueId}",
];

/// `/fleet/nodes/{nodeId}` with an id that nothing has; lists by venue name one.
fn filled(pattern: &str) -> String {
    let nothing = uuid::Uuid::nil();
    let parts = pattern.split('/').map(|part| match part.starts_with('{') {
        true => nothing.to_string(),
        false => part.to_owned(),
    });
    let path = parts.collect::<Vec<_>>().join("/");
    match pattern {
        "/fleet/gates" | "/fleet/nodes" => format!("{path}?venueId={nothing}&page=0"),
        _ => format!("{path}?page=0"),
    }
}

/// Four lists once grew without end. Whoever adds one that has no pages has to say here that it is none.
#[tokio::test(flavor = "multi_thread")]
async fn every_list_has_pages() {
    let core = TestApp::start().await;
    let root = core.user("root").role("ADMIN").scope("inventory:hold");
    let contexts = made(product);
    let routes = contexts.iter().flat_map(|it| it.routes.table());
    let reads = routes.filter(|it| it.method == Method::GET);
    let mut unpaged = BTreeSet::new();
    for route in reads {
        let answer = root.get(&filled(route.path)).await;
        let details = &answer.body["error"]["details"][0];
        let refuses_page = answer.status == 400
            && details["field"] == json!("page")
            && details["issue"]
                .as_str()
                .is_some_and(|it| it.starts_with("must be 1"));
        if !refuses_page {
            unpaged.insert(route.path);
        }
    }
    let known: BTreeSet<_> = NO_LISTS.into_iter().collect();
    assert_eq!(
        unpaged, known,
        "a list without pages, or one that has them now"
    );
}

/// A page has what was asked for, all pages together have all, and none has anything twice.
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_gates_and_operators_are_the_whole_list() {
    let sale = Sale::open().await;
    let root = sale.admin();
    let operators = format!("/fleet/venues/{}/operators", sale.venue);
    for number in 1..=5 {
        let gate = json!({ "venueId": sale.venue, "name": format!("Gate {number}") });
        root.post("/fleet/gates", gate).await.expect(201);
        let user = sale.core.clock.new_id();
        let appointed = root.put(&format!("{operators}/{user}"), json!({})).await;
        assert_eq!(appointed.status, 204);
    }
    sale.core.settle().await;
    let gates = format!("/fleet/gates?venueId={}&", sale.venue);
    for list in [gates, format!("{operators}?")] {
        let mut seen = Vec::new();
        for (page, items) in [(1, 2), (2, 2), (3, 1), (4, 0)] {
            let path = format!("{list}page={page}&size=2");
            let found: Page<Value> = root.get(&path).await.read(200);
            assert_eq!((found.total, found.items.len()), (5, items), "{path}");
            seen.extend(found.items.iter().map(Value::to_string));
        }
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), 5);
    }
}
