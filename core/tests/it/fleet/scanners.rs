//! Scanners paired with nodes, as venue IT sees them, and what it orders.

use eventify_protocol::ids::{GateId, ScannerId};
use eventify_protocol::sync::{
    Down, Health, Position, ScannerChange, ScannerGates, ScannerOrders, ScannerState,
    ScannersReport, Up,
};
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::Mode;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fleet::feed::welcome;
use crate::fleet::world::{Node, Venue};
use crate::world::until;

const SEEN: CoreTime = CoreTime(1_893_456_000_000_000);

fn scanner(number: u128) -> ScannerState {
    ScannerState {
        scanner: ScannerId(Uuid::from_u128(number)),
        label: format!("Scanner {number:03}"),
        gates: ScannerGates::All,
        paired_at: None,
        last_seen: Some(SEEN),
    }
}

/// A part of a list of so many.
fn part(revision: u64, total: u32, last_order: u64, scanners: Vec<ScannerState>) -> Up {
    Up::Scanners(ScannersReport {
        revision,
        total,
        last_order,
        scanners,
    })
}

async fn orders(node: &mut Node, what: &str, is: impl Fn(&ScannerOrders) -> bool) -> ScannerOrders {
    node.receive(what, |message| match message {
        Down::Config(config) => config.scanners.filter(&is),
        _ => None,
    })
    .await
}

/// The node's list, and what it says when the core holds it.
async fn report(node: &mut Node, revision: u64, last_order: u64, scanners: Vec<ScannerState>) {
    let total = u32::try_from(scanners.len()).unwrap();
    node.send(part(revision, total, last_order, scanners)).await;
    orders(node, "that the list is held", |it| it.revision == revision).await;
}

async fn shown(venue: &Venue, node: &Node) -> Value {
    let path = format!("/fleet/nodes/{}/scanners?size=100", node.id);
    venue.owner().get(&path).await.expect(200)
}

fn path(node: &Node, number: u128) -> String {
    format!(
        "/fleet/nodes/{}/scanners/{}",
        node.id,
        Uuid::from_u128(number)
    )
}

async fn patch(venue: &Venue, path: &str, body: Value) -> (u16, Value) {
    let owner = venue.owner();
    let request = owner.request(Method::PATCH, path).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Makes the core take a node for connected.
async fn be_heard(venue: &Venue, node: &Node) {
    node.send(Up::Health(Health {
        mode: Mode::Online,
        cache_age_ms: Some(1_500),
        head: Position(3),
        unacknowledged: 0,
        free_bytes: 1 << 30,
        software: "1.0".to_owned(),
        mode_number: Some(1),
        unreadable: None,
        journal_fault: None,
    }))
    .await;
    let count = "select count(*) from fleet.node_health join fleet.nodes using (node_id) where venue_id = $1";
    until("the node was heard", async || {
        venue.value::<i64>(count).await == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_asked_for_its_scanners_and_the_core_lists_them() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    assert_eq!(shown(&venue, &node).await["asOf"], Value::Null);
    welcome(&mut node, None).await;
    let asked = orders(&mut node, "an invitation", |_| true).await;
    assert_eq!((asked.revision, asked.orders.len()), (0, 0));

    // A long list in two parts, of which the second comes first: it is the list when it is whole.
    let all: Vec<_> = (1..=40).map(scanner).collect();
    let (first, second) = all.split_at(32);
    node.send(part(7, 40, 0, second.to_vec())).await;
    let held = orders(&mut node, "an answer", |_| true).await;
    assert_eq!(held.revision, 0);
    assert_eq!(shown(&venue, &node).await["items"], json!([]));
    node.send(part(7, 40, 0, first.to_vec())).await;
    orders(&mut node, "that it is held", |held| held.revision == 7).await;
    let list = shown(&venue, &node).await;
    assert!(list["asOf"].is_string(), "{list}");
    assert_eq!(list["items"].as_array().unwrap().len(), 40);
    assert_eq!(list["items"][0]["label"], "Scanner 001");
    assert_eq!(list["items"][0]["lastSeenAt"], "2030-01-01T00:00:00Z");

    // The node's own changes; an older list that was held up changes nothing.
    report(&mut node, 9, 0, vec![scanner(3)]).await;
    node.send(part(8, 1, 0, vec![scanner(5)])).await;
    orders(&mut node, "an answer", |held| held.revision == 9).await;
    let list = shown(&venue, &node).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");

    let stranger = venue.core.user("carl").role("VENUE_IT");
    let path = format!("/fleet/nodes/{}/scanners", node.id);
    stranger.get(&path).await.assert_refused(403, "forbidden");
    venue.core.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_is_unpaired_at_once_at_a_node_that_is_connected() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    be_heard(&venue, &node).await;
    report(&mut node, 1, 0, vec![scanner(1), scanner(2)]).await;
    let ordered = venue.owner().delete(&path(&node, 1)).await.expect(202);
    assert_eq!(
        (&ordered["order"], &ordered["effective"]),
        (&json!(1), &json!("now"))
    );
    let told = orders(&mut node, "the order", |it| !it.orders.is_empty()).await;
    assert_eq!(told.orders[0].change, ScannerChange::Unpair);
    assert_eq!(shown(&venue, &node).await["items"][0]["pending"], "unpair");
    let again = venue.owner().delete(&path(&node, 1)).await.expect(202);
    assert_eq!(again["order"], 1, "it is the same order");
    // The message may get lost: it comes again until the node has reported it.
    node.received();
    venue.core.run_job("fleet", "repeat_scanner_orders").await;
    orders(&mut node, "the order again", |it| it.orders.len() == 1).await;
    report(&mut node, 2, 1, vec![scanner(2)]).await;
    let list = shown(&venue, &node).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    node.received();
    venue
        .owner()
        .delete(&path(&node, 1))
        .await
        .assert_refused(404, "scanner_not_found");

    // An older disk was put back, which has the scanner: the order holds.
    let before = part(1, 2, 0, vec![scanner(1), scanner(2)]);
    node.send(before).await;
    let told = orders(&mut node, "the order of before", |it| !it.orders.is_empty()).await;
    assert_eq!(told.orders[0].number, 1);
    venue.core.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_to_a_node_that_is_away_waits_and_says_so() {
    let venue = Venue::open().await;
    let (north, south) = (venue.gate("North").await, venue.gate("South").await);
    let mut node = venue.node("North door").await;
    report(&mut node, 1, 0, vec![scanner(1)]).await;
    let path_of_node = format!("/fleet/nodes/{}", node.id);
    let plan = json!({ "label": "North door", "gates": [north] });
    let owner = venue.owner();
    let nodes = owner
        .get(&format!("/fleet/nodes?venueId={}", venue.id))
        .await;
    let version = format!("\"{}\"", nodes.expect(200)["items"][0]["version"]);
    let edited = owner.request(Method::PUT, &path_of_node).json(&plan);
    let edited = edited.header("If-Match", version).send().await.unwrap();
    assert_eq!(edited.status(), 200);

    let path = path(&node, 1);
    for (wrong, field) in [
        (json!({}), "label"),
        (json!({ "label": "" }), "label"),
        (json!({ "gates": [south] }), "gates"),
        (json!({ "gates": [GateId(Uuid::nil())] }), "gates"),
    ] {
        let (status, body) = patch(&venue, &path, wrong).await;
        assert_eq!(status, 400, "{body}");
        assert_eq!(body["error"]["details"][0]["field"], field, "{body}");
    }
    let edit = json!({ "label": "Turnstile", "gates": [north] });
    let (status, ordered) = patch(&venue, &path, edit).await;
    assert_eq!(status, 202, "{ordered}");
    assert_eq!(
        ordered["effective"], "at_next_contact",
        "it never said how it is"
    );
    assert_eq!(shown(&venue, &node).await["items"][0]["pending"], "edit");
    node.received();
    welcome(&mut node, None).await;
    let told = orders(&mut node, "the order", |it| !it.orders.is_empty()).await;
    let change = ScannerChange::Edit {
        label: Some("Turnstile".to_owned()),
        gates: Some(ScannerGates::Only(vec![north])),
    };
    assert_eq!(told.orders[0].change, change);

    venue
        .owner()
        .post(&format!("{path_of_node}/revoke"), json!({}))
        .await
        .expect(200);
    let refused = venue.owner().delete(&path).await;
    refused.assert_refused(409, "node_not_in_service");
    venue.core.settle().await;
}
