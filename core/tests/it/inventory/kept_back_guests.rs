//! Before a place is sold again: who is inside, and which gates have not said whom they let in.

use chrono::Duration;
use eventify_contracts::inventory::{GuestDisplaced, PlaceState};
use eventify_contracts::ticketing::{Admission, KeptBack, RefundedAdmitted};
use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::ids::{GateId, RefundId, ScanId, TicketId};
use serde_json::json;
use uuid::Uuid;

use super::kept_back::kept;
use super::orders::{Order, core};
use crate::world::house::{House, release_kept};
use crate::world::replies::KeptPlace;
use crate::world::{Answer, TestApp};

const GATE: GateId = GateId(Uuid::from_u128(7));

/// A gate without connection let somebody in with the ticket of an order's first place.
fn guest(order: &Order<'_, '_>, core: &TestApp, ticket: TicketId) -> RefundedAdmitted {
    let (item, now) = (&order.items[0], core.clock.now());
    RefundedAdmitted {
        ticket_id: ticket,
        order_id: order.id,
        venue_id: item.venue_id,
        performance_id: item.performance_id,
        seat_label: item.seat_label.clone(),
        zone: item.zone.clone(),
        amount: item.unit_price,
        refund_id: Some(RefundId(Uuid::from_u128(3))),
        revoked: Some("refund".to_owned()),
        admission: Admission {
            scan_id: ScanId(Uuid::from_u128(4)),
            gate_id: GATE,
            node_id: None,
            scanner_id: None,
            earliest: now - Duration::minutes(2),
            latest: now - Duration::minutes(1),
            decided_by: "edge".to_owned(),
            sync_position: None,
            sync_truth: None,
            order_unknown: false,
        },
        dissolved: false,
    }
}

/// The venue's gate, and its nodes: label, mode, and how long ago they were heard.
async fn fleet(house: &House<'_>, nodes: &[(&str, &str, Duration)]) {
    let mut conn = house.core.app().db.read("fleet").await.unwrap();
    let empty = vec![0_u8; 32];
    sqlx::query(
        "insert into fleet.venues (venue_id, digest_key, digest) values ($1, $2, $2)
         on conflict do nothing",
    )
    .bind(house.venue)
    .bind(&empty)
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::query(
        "insert into fleet.gates (gate_id, venue_id, name, performances, categories, version,
             updated_at)
         values ($1, $2, 'North gate', '{}', '{}', 1, now()) on conflict do nothing",
    )
    .bind(GATE)
    .bind(house.venue)
    .execute(&mut *conn)
    .await
    .unwrap();
    for (label, mode, ago) in nodes {
        let heard = house.core.clock.now() - *ago;
        sqlx::query(
            "with node as (
                 insert into fleet.nodes (node_id, venue_id, label, gates, version, created_at,
                     created_by, code_hash, code_expires_at)
                 values (gen_random_uuid(), $1, $2, array[$5::uuid], 1, $3, $1, sha256($2::bytea), $3)
                 on conflict (venue_id, label) do update set label = excluded.label
                 returning node_id)
             insert into fleet.node_health (node_id, seen_at, mode, mode_since, mode_changes,
                 cache_age_ms, head, unacknowledged, free_bytes, software)
             select node_id, $3, $4, $3, 1, 0, 1, 0, 1, 'test' from node
             on conflict (node_id) do update set seen_at = excluded.seen_at, mode = excluded.mode",
        )
        .bind(house.venue)
        .bind(label)
        .bind(heard)
        .bind(mode)
        .bind(GATE)
        .execute(&mut *conn)
        .await
        .unwrap();
    }
}

async fn release(house: &House<'_>, ticket: TicketId, second_word: bool) -> Answer {
    let words = json!({ "guestMayBeInside": second_word });
    release_kept(house.core, house.performance, ticket, words).await
}

/// C05: the list said "gates may have admitted" for ever, and the seat was sold again over the
/// guest whose gate and time everybody else could read.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_releases_a_place_knows_of_the_guest_inside() {
    let core = core(FaultInjection::deliver_twice()).await;
    let house = House::open(&core).await;
    fleet(&house, &[]).await;
    let order = Order::of(&house, &["A-1"], 0).await;
    order.paid().await;
    let ticket = order.ticket();
    let found = guest(&order, &core, ticket);
    let publish = async |version, found: &RefundedAdmitted| {
        let app = core.app();
        let mut tx = app.db.begin("ticketing", &house.cause()).await.unwrap();
        tx.publish(app.clock.new_id(), version, found);
        tx.commit().await.unwrap();
        core.settle().await;
    };
    // Before the revocation itself, as messages come.
    publish(4, &found).await;
    order.revoked(0, ticket, Some(KeptBack::GatesAdmit)).await;
    let place = kept(&house).await.remove(0);
    assert_eq!(place.reason, "used");
    let known = place.guest.expect("a guest");
    assert_eq!(known.gate_name.as_deref(), Some("North gate"));
    assert_eq!(known.earliest, found.admission.earliest);
    let refused = release(&house, ticket, false).await;
    refused.assert_refused(409, "guest_inside");
    let message = refused.error().message;
    assert!(
        message.contains("North gate") && message.contains("guestMayBeInside"),
        "{message}"
    );

    let nobody = RefundedAdmitted {
        dissolved: true,
        ..found.clone()
    };
    publish(5, &nobody).await;
    publish(4, &found).await;
    let place = kept(&house).await.remove(0);
    assert_eq!((place.reason.as_str(), place.guest), ("gates_admit", None));
    publish(6, &found).await;
    let released: KeptPlace = release(&house, ticket, true).await.read(200);
    assert_eq!(released.released_despite.as_deref(), Some("guest_inside"));
    assert_eq!(core.published::<GuestDisplaced>("inventory").await, []);
}

/// C05: a gate was cut off at that moment, and nothing said so.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_not_released_before_every_gate_has_said_whom_it_let_in() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &[], 2).await;
    order.paid().await;
    let tickets = [order.ticket(), order.ticket()];
    for ticket in tickets {
        let mut revoked = order.revoked_event(0, ticket, Some(KeptBack::GatesAdmit));
        revoked.gates_since = Some(core.clock.now() - Duration::hours(1));
        order.publish_and_settle("ticketing", &revoked).await;
    }
    core.advance(Duration::minutes(1));
    let second = Duration::seconds(1);
    let nodes = [
        ("South door", "Online", second),
        ("North door", "Online", Duration::minutes(10)),
        ("Spare in the cellar", "Degraded", Duration::days(7)),
    ];
    fleet(&house, &nodes).await;
    let refused = release(&house, tickets[0], false).await;
    refused.assert_refused(409, "gates_not_heard");
    let message = refused.error().message;
    assert!(
        message.contains("North door at North gate (last heard"),
        "{message}"
    );
    assert!(message.contains(" Europe/Paris)"), "{message}");
    assert!(
        !message.contains("South") && !message.contains("Spare"),
        "{message}"
    );
    let released: KeptPlace = release(&house, tickets[0], true).await.read(200);
    assert_eq!(
        released.released_despite.as_deref(),
        Some("gates_not_heard")
    );

    // It is back, and tells; what it tells is not known before it is online.
    fleet(&house, &[("North door", "Resyncing", second)]).await;
    let refused = release(&house, tickets[1], false).await;
    refused.assert_refused(409, "gates_not_heard");
    fleet(&house, &[("North door", "Online", second)]).await;
    let released: KeptPlace = release(&house, tickets[1], false).await.read(200);
    assert_eq!(released.released_despite, None);
}

/// C05: two guests for one chair, and the alarm said that the place was not sold.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whose_seat_was_sold_meanwhile_is_told_with_the_other_order() {
    let core = core(FaultInjection::deliver_twice()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1"], 0).await;
    order.paid().await;
    let ticket = order.ticket();
    order.revoked(0, ticket, Some(KeptBack::GatesAdmit)).await;
    release(&house, ticket, false).await.expect(200);
    core.settle().await;
    let next = Order::of(&house, &["A-1"], 0).await;
    next.paid().await;
    let found = guest(&order, &core, ticket);
    for version in [4, 5] {
        let app = core.app();
        let mut tx = app.db.begin("ticketing", &house.cause()).await.unwrap();
        tx.publish(app.clock.new_id(), version, &found);
        tx.commit().await.unwrap();
        core.settle().await;
    }
    let told: Vec<GuestDisplaced> = core.published("inventory").await;
    let [told] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((told.ticket_id, told.order_id), (ticket, order.id));
    assert_eq!(told.place_state, PlaceState::Sold);
    assert_eq!(told.sold_to, Some(next.id));
    assert_eq!((told.gate_id, told.place.as_deref()), (GATE, Some("A-1")));
    assert!(told.released_at.is_some());
}
