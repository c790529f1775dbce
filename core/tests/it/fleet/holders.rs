//! Names of guests on their way to the gates of venues whose staff may look for them, and their end.

use chrono::TimeDelta;
use eventify_core::config::Config;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use eventify_protocol::ids::{
    GateId, OrderId, PerformanceId, PersonId, ScannerId, SearchId, TicketId,
};
use eventify_protocol::lan::SearchBy;
use eventify_protocol::sync::{
    Down, FeedEntry, Holder, HolderEntry, HolderKeys, JournalEntry, PerformanceKey, Searched,
    Subject, Up, Value,
};
use eventify_protocol::verdict::Mode;
use serde_json::json;
use sqlx::Executor as _;
use uuid::Uuid;

use crate::fleet::feed::{replica_of, welcome};
use crate::fleet::journal::{Journal, stored};
use crate::fleet::world::{Node, Venue, contexts, issue, performance, ticket};
use crate::world::product;
use crate::world::sale::{Sale, seat};

const NAME: &str = "Zoé Lefèvre";

/// Fleet with its neighbours' stand-ins, and order's tables: what fleet asks order for, the test writes.
fn beside_order(config: &Config, clock: &Clock) -> Vec<Context> {
    let mut real = product(config, clock).into_iter();
    let order = real.find(|it| it.name == "order").unwrap();
    let mut all = contexts(config, clock);
    all.push(Context::new("order", order.migrations));
    all
}

fn show() -> PerformanceId {
    PerformanceId(Uuid::from_u128(5))
}

/// A venue with a show tomorrow, one ticket of which is somebody's, and a node that is welcomed.
async fn evening() -> (Venue, Node, TicketId) {
    let venue = Venue::among(beside_order).await;
    let tomorrow = venue.core.clock.now() + TimeDelta::hours(20);
    let scheduled = performance(venue.id, tomorrow);
    venue.publish("event_management", 1, &scheduled).await;
    let bought = ticket(venue.id, 1);
    let id = bought.ticket_id;
    venue.publish("ticketing", 1, &issue(vec![bought])).await;
    venue.core.settle().await;
    order(&venue, &[id], Some(NAME)).await;
    let mut node = venue.node("North door").await;
    venue.core.settle().await;
    let answer = welcome(&mut node, None).await;
    let replica = replica_of(&mut node, &answer).await;
    assert!(
        replica
            .rows
            .keys()
            .all(|it| !matches!(it, Subject::Holder(_)))
    );
    (venue, node, id)
}

/// An order with its tickets and its guest's name.
async fn order(venue: &Venue, tickets: &[TicketId], name: Option<&str>) {
    let id = OrderId(tickets[0].as_uuid());
    let mut conn = venue.core.app().db.read("order").await.unwrap();
    sqlx::query(
        r#"insert into "order".orders (order_id, reservation_id, customer_id, status, currency, total_amount,
             pay_until, paid_at, correlation_id, created_at, updated_at, version)
         values ($1, $1, $1, 'paid', 'EUR', 39, now(), now(), $1, now(), now(), 1)"#,
    )
    .bind(id)
    .execute(&mut *conn)
    .await
    .unwrap();
    if let Some(name) = name {
        let insert =
            r#"insert into "order".guest_names (order_id, name, given_at) values ($1, $2, now())"#;
        let insert = sqlx::query(insert).bind(id).bind(name);
        conn.execute(insert).await.unwrap();
    }
    for ticket in tickets {
        let insert = r#"insert into "order".order_tickets (ticket_id, order_id, performance_id, currency, amount)
             values ($1, $2, $3, 'EUR', 39)"#;
        let insert = sqlx::query(insert).bind(ticket).bind(id).bind(show());
        conn.execute(insert).await.unwrap();
    }
}

async fn switch(venue: &Venue, on: bool) {
    let path = format!("/fleet/venues/{}/policy", venue.id);
    let body = json!({ "maxCacheAgeMs": 0, "search": on });
    let set = venue.owner().put(&path, body).await.expect(200);
    assert_eq!(set["search"], json!(on));
    publish(venue).await;
}

async fn publish(venue: &Venue) {
    venue.core.run_job("fleet", "publish_holders").await;
    venue.core.run_job("fleet", "write_feed").await;
}

async fn keys(node: &mut Node, count: usize) -> Vec<PerformanceKey> {
    let of = |message| match message {
        Down::HolderKeys(HolderKeys { keys }) => (keys.len() == count).then_some(keys),
        _ => None,
    };
    node.receive("keys of guests", of).await
}

/// The next entry about a ticket's holder.
async fn entry(node: &mut Node, ticket: TicketId) -> FeedEntry {
    let of = |message| match message {
        Down::Delta(delta) => delta
            .entries
            .into_iter()
            .find(|entry| entry.subject == Subject::Holder(ticket)),
        _ => None,
    };
    node.receive("an entry about a guest", of).await
}

fn opened(key: &PerformanceKey, entry: &FeedEntry) -> Holder {
    let (Subject::Holder(ticket), Some(Value::Holder(HolderEntry { sealed, .. }))) =
        (entry.subject, &entry.value)
    else {
        panic!("{entry:?}")
    };
    key.key.open((ticket, entry.version), sealed).unwrap()
}

/// Whether bytes stand in any row of fleet's tables.
async fn is_stored(venue: &Venue, wanted: &[u8]) -> bool {
    let mut conn = venue.core.app().db.read("fleet").await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables where table_schema = 'fleet'",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    let (hex, text) = (
        hex::encode(wanted),
        String::from_utf8_lossy(wanted).into_owned(),
    );
    for table in tables {
        let rows = format!("select coalesce(string_agg(t::text, ' '), '') from fleet.{table} t");
        let rows: String = sqlx::query_scalar(sqlx::AssertSqlSafe(rows))
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        if rows.contains(&hex) || rows.contains(&text) {
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn names_travel_sealed_once_the_venue_has_switched_search_on() {
    let (venue, mut node, id) = evening().await;
    publish(&venue).await;
    assert!(
        node.received()
            .iter()
            .all(|it| !matches!(it, Down::HolderKeys(_) | Down::Delta(_))),
        "off, nothing is sent"
    );
    switch(&venue, true).await;
    let [key] = &keys(&mut node, 1).await[..] else {
        panic!("one show")
    };
    assert_eq!(key.performance, show());
    let over = venue.core.clock.now() + TimeDelta::hours(20 + 6 + 24);
    assert!((key.wipe_at - over.timestamp()).abs() < 60);
    let sealed = entry(&mut node, id).await;
    let holder = opened(key, &sealed);
    assert_eq!(holder.name.as_deref(), Some(NAME));
    assert_eq!(holder.order, OrderId(id.as_uuid()));
    let bytes = sealed.to_bytes().len();
    println!("a guest with a name of 11 characters: {bytes} bytes on the wire");
    assert!(bytes <= 130, "{bytes}");
    assert!(!is_stored(&venue, NAME.as_bytes()).await);
    assert!(
        is_stored(&venue, key.key.as_bytes()).await,
        "the search finds what is there"
    );

    // What did not change is not sent again; a name that is taken back is.
    publish(&venue).await;
    let mut conn = venue.core.app().db.read("order").await.unwrap();
    let erase = r#"delete from "order".guest_names"#;
    conn.execute(erase).await.unwrap();
    let touch = r#"update "order".order_tickets set holder_changed_at = now()"#;
    conn.execute(touch).await.unwrap();
    drop(conn);
    publish(&venue).await;
    let erased = entry(&mut node, id).await;
    assert!(erased.version > sealed.version);
    assert_eq!(opened(key, &erased).name, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_the_names_are_gone_at_once_and_come_back_under_another_key() {
    let (venue, mut node, id) = evening().await;
    switch(&venue, true).await;
    let first = keys(&mut node, 1).await;
    let sealed = entry(&mut node, id).await;
    switch(&venue, false).await;
    keys(&mut node, 0).await;
    let gone = entry(&mut node, id).await;
    assert!(gone.value.is_none() && gone.version > sealed.version);
    assert!(!is_stored(&venue, first[0].key.as_bytes()).await);
    let held: i64 = venue
        .value("select count(*) from holders where venue_id = $1")
        .await;
    assert_eq!(held, 0);

    switch(&venue, true).await;
    let second = keys(&mut node, 1).await;
    assert_ne!(first[0].key, second[0].key);
    let again = entry(&mut node, id).await;
    assert!(
        again.version > gone.version,
        "the deletion does not hold it back"
    );
    assert_eq!(opened(&second[0], &again).name.as_deref(), Some(NAME));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_after_the_show_nobody_has_the_key_and_the_feed_nothing_of_it() {
    let (venue, mut node, id) = evening().await;
    switch(&venue, true).await;
    let first = keys(&mut node, 1).await;
    entry(&mut node, id).await;
    venue
        .core
        .advance(TimeDelta::hours(20 + 6 + 24) - TimeDelta::minutes(1));
    publish(&venue).await;
    venue.core.run_job("fleet", "repeat_holder_keys").await;
    assert_eq!(
        keys(&mut node, 1).await,
        first,
        "a lost message comes again"
    );
    venue.core.advance(TimeDelta::minutes(2));
    publish(&venue).await;
    keys(&mut node, 0).await;
    assert_eq!(entry(&mut node, id).await.value, None);
    assert!(!is_stored(&venue, first[0].key.as_bytes()).await);
    // A node that begins anew gets neither.
    let answer = welcome(&mut node, None).await;
    let replica = replica_of(&mut node, &answer).await;
    assert!(
        replica
            .rows
            .keys()
            .all(|it| !matches!(it, Subject::Holder(_)))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_show_that_is_far_or_of_another_venue_sends_no_names() {
    let (venue, mut node, _) = evening().await;
    let path = format!("/fleet/venues/{}/policy", venue.id);
    let stranger = venue.core.user("stan").role("VENUE_IT");
    let on = json!({ "maxCacheAgeMs": 0, "search": true });
    assert_eq!(stranger.put(&path, on).await.status, 403);
    // Moved to next month.
    let later = venue.core.clock.now() + TimeDelta::days(30);
    let moved = performance(venue.id, later);
    venue.publish("event_management", 2, &moved).await;
    venue.core.settle().await;
    switch(&venue, true).await;
    let answer = welcome(&mut node, None).await;
    assert!(keys(&mut node, 0).await.is_empty());
    let replica = replica_of(&mut node, &answer).await;
    assert!(
        replica
            .rows
            .keys()
            .all(|it| !matches!(it, Subject::Holder(_)))
    );
}

/// From the shop to the gate, with all contexts.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_gives_a_name_with_the_order_and_takes_it_back() {
    let sale = Sale::open().await;
    let (ada, eve) = (sale.buyer("ada"), sale.buyer("eve"));
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    let order = json!({ "reservationId": checkout.reservation, "guestName": format!(" {NAME} ") });
    let placed = ada.post("/orders", order).await.expect(201);
    assert_eq!(placed["guestName"], NAME);
    let path = format!("/orders/{}", checkout.order);
    assert_eq!(ada.get(&path).await.expect(200)["guestName"], NAME);
    let guest = format!("{path}/guest");
    assert_eq!(eve.put(&guest, json!({ "name": "Eve" })).await.status, 403);
    for bad in [
        "x".repeat(61),
        "a\u{7}b".to_owned(),
        "Ada \u{202e}dilav".to_owned(),
    ] {
        let refused = ada.put(&guest, json!({ "name": bad })).await;
        assert_eq!(refused.code(), "validation_error");
    }

    let policy = format!("/fleet/venues/{}/policy", sale.venue);
    let on = json!({ "maxCacheAgeMs": 0, "search": true });
    sale.admin().put(&policy, on).await.expect(200);
    sale.core.advance(TimeDelta::hours(25));
    assert_eq!(name_in_feed(&sale, tickets[0]).await.as_deref(), Some(NAME));
    ada.put(&guest, json!({ "name": null })).await.expect(200);
    assert_eq!(name_in_feed(&sale, tickets[0]).await, None);
    assert!(ada.get(&path).await.expect(200).get("guestName").is_none());
}

/// As a node of the venue would open it.
async fn name_in_feed(sale: &Sale, ticket: TicketId) -> Option<String> {
    sale.core.run_job("fleet", "publish_holders").await;
    sale.core.run_job("fleet", "write_feed").await;
    let mut conn = sale.core.app().db.read("fleet").await.unwrap();
    let (performance, bytes): (PerformanceId, [u8; 32]) =
        sqlx::query_as("select performance_id, key from fleet.holder_keys")
            .fetch_one(&mut *conn)
            .await
            .unwrap();
    let row: Vec<u8> = sqlx::query_scalar("select entry from fleet.feed_state where subject = $1")
        .bind(minicbor::to_vec(Subject::Holder(ticket)).unwrap())
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let key = PerformanceKey {
        performance,
        key: eventify_protocol::sync::HolderKey::from_bytes(bytes),
        wipe_at: 0,
    };
    opened(&key, &minicbor::decode(&row).unwrap()).name.clone()
}

/// Somebody asks who looked at their name.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_shown_whom_is_listed_to_those_who_run_the_venue() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    let mut journal = Journal::open(node.id, 1);
    let shown = TicketId(Uuid::from_u128(0x77));
    let search = |number: u128, tickets: &[TicketId]| Searched {
        search: SearchId(Uuid::from_u128(number)),
        person: PersonId(Uuid::from_u128(0x52)),
        scanner: ScannerId(Uuid::from_u128(7)),
        gate: GateId(Uuid::from_u128(8)),
        by: SearchBy::Name,
        performance: None,
        tickets: tickets.to_vec(),
        more: false,
        mode: Mode::Degraded,
    };
    journal.push(JournalEntry::Searched(search(1, &[])));
    journal.push(JournalEntry::Searched(search(2, &[shown])));
    node.send(Up::Journal(journal.batch(1, 3))).await;
    stored(&venue, 3).await;
    let path = format!("/fleet/venues/{}/searches", venue.id);
    let listed = venue.owner().get(&path).await.expect(200);
    assert_eq!(listed["total"], 2);
    let newest = &listed["items"][0];
    assert_eq!(newest["person"], json!(PersonId(Uuid::from_u128(0x52))));
    assert_eq!(newest["tickets"], json!([shown]));
    assert_eq!(
        (&newest["by"], &newest["mode"]),
        (&json!("name"), &json!("Degraded"))
    );
    assert_eq!(newest["nodeId"], json!(node.id));
    let stranger = venue.core.user("stan").role("VENUE_IT");
    assert_eq!(
        stranger.get(&path).await.status,
        403,
        "somebody else's venue"
    );
    let customer = venue.core.user("carl").role("CUSTOMER");
    assert_eq!(customer.get(&path).await.status, 403);
    venue.publish("ticketing", 1, &journal.applied(1, 3)).await;
    venue.core.settle().await;
}
