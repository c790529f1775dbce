//! A gate without connection let somebody in whose money goes back.

use eventify_contracts::inventory::{GuestDisplaced, PlaceState, VenueCreated, VenueFacts};
use eventify_contracts::ticketing::{Admission, RefundedAdmitted};
use eventify_protocol::ids::{GateId, OrderId, PerformanceId, RefundId, ScanId, VenueId};
use eventify_protocol::money::Money;
use eventify_protocol::sync::Up;
use eventify_protocol::verdict::{Mode, Verdict};
use uuid::Uuid;

use crate::fleet::journal::{Journal, stored};
use crate::fleet::world::{Alarm, Node, Venue, alarms_of, alarms_where, ticket};
use crate::world::replies::Reconciliation;

const CODE: &str = "refunded_guest_admitted";

/// The guest of a scan; the number is the ticket's too.
fn guest(venue: &Venue, node: &Node, gate: GateId, scan: u128) -> RefundedAdmitted {
    let now = venue.core.clock.now();
    RefundedAdmitted {
        ticket_id: ticket(venue.id, scan).ticket_id,
        order_id: OrderId(Uuid::from_u128(8)),
        venue_id: venue.id,
        performance_id: PerformanceId(Uuid::from_u128(5)),
        seat_label: Some("A-12".to_owned()),
        zone: None,
        amount: euro("49.90"),
        refund_id: Some(RefundId(Uuid::from_u128(9))),
        revoked: None,
        admission: Admission {
            scan_id: ScanId(Uuid::from_u128(scan)),
            gate_id: gate,
            node_id: Some(node.id),
            scanner_id: None,
            earliest: now,
            latest: now,
            decided_by: "edge".to_owned(),
            sync_position: None,
            sync_truth: None,
            order_unknown: false,
        },
        dissolved: false,
    }
}

fn euro(amount: &str) -> Money {
    Money::parse("EUR", amount).unwrap()
}

fn revoked(found: &RefundedAdmitted) -> RefundedAdmitted {
    RefundedAdmitted {
        revoked: Some("refund".to_owned()),
        ..found.clone()
    }
}

fn dissolved(found: &RefundedAdmitted) -> RefundedAdmitted {
    RefundedAdmitted {
        dissolved: true,
        ..found.clone()
    }
}

async fn report(venue: &Venue) -> Reconciliation {
    let path = format!("/fleet/venues/{}/reconciliation", venue.id);
    venue.owner().get(&path).await.read(200)
}

async fn alarms(venue: &Venue) -> Vec<Alarm> {
    let mut alarms = alarms_of(&venue.owner()).await;
    alarms.retain(|alarm| alarm.code == CODE);
    alarms
}

/// One after the other, as if the broker had them in this order.
async fn publish(venue: &Venue, versions: &[(i32, RefundedAdmitted)]) {
    for (version, found) in versions {
        venue.publish("ticketing", *version, found).await;
        venue.core.settle().await;
    }
}

/// Two guests are let in during an outage, and a third one online.
async fn outage(venue: &Venue) -> (Node, GateId) {
    let (node, gate) = (
        venue.node("North door").await,
        venue.gate("North gate").await,
    );
    let mut journal = Journal::open(node.id, 1);
    journal.scan(401, Verdict::Admit, Mode::Degraded);
    journal.scan(402, Verdict::Admit, Mode::Degraded);
    journal.scan(403, Verdict::Admit, Mode::Online);
    node.send(Up::Journal(journal.batch(1, 4))).await;
    stored(venue, 4).await;
    venue.publish("ticketing", 1, &journal.applied(1, 4)).await;
    venue.core.settle().await;
    (node, gate)
}

/// C05: the report said "admitted 1", and nobody was told that the money had gone back.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_inside_whose_money_went_back_stands_in_the_report_with_money_and_gate() {
    let venue = Venue::open().await;
    let (node, gate) = outage(&venue).await;
    let first = guest(&venue, &node, gate, 401);
    let second = RefundedAdmitted {
        seat_label: None,
        zone: Some("Floor".to_owned()),
        amount: euro("25.00"),
        ..guest(&venue, &node, gate, 402)
    };
    // Let in online: of no outage.
    let online = guest(&venue, &node, gate, 403);
    publish(&venue, &[(3, first.clone()), (3, second), (3, online)]).await;
    let report = report(&venue).await;
    let [outage] = &report.outages[..] else {
        panic!("{report:#?}")
    };
    assert_eq!((outage.scans, outage.admitted), (2, 2));
    assert!(
        outage.adds_up && report.adds_up,
        "they are among the admitted"
    );
    assert_eq!(outage.refunded_admissions, 2);
    assert_eq!(outage.refunded_amounts, [euro("74.90")]);
    let rows = &report.refunded_admissions;
    let found = rows.iter().find(|row| row.ticket_id == first.ticket_id);
    let row = found.expect("the guest with the seat");
    assert_eq!((row.amount, row.refund_id), (first.amount, first.refund_id));
    assert_eq!(
        (row.order_id, row.scan_id),
        (first.order_id, first.admission.scan_id)
    );
    assert_eq!(
        (row.place.as_deref(), row.state.as_str()),
        (Some("A-12"), "suspended")
    );
    assert_eq!(row.gate_name.as_deref(), Some("North gate"));
    assert_eq!(row.node_label.as_deref(), Some("North door"));
    let places = rows.iter().filter_map(|row| row.place.as_deref());
    assert_eq!(places.count(), 2, "{rows:#?}");
}

/// C05: redelivered, or with the refund further on, it is one guest and one alarm.
#[tokio::test(flavor = "multi_thread")]
async fn the_venue_is_alarmed_once_for_each_guest_whose_money_went_back() {
    let venue = Venue::open().await;
    let (node, gate) = outage(&venue).await;
    let found = guest(&venue, &node, gate, 401);
    let gone = revoked(&found);
    publish(
        &venue,
        &[
            (3, found.clone()),
            (4, gone.clone()),
            (4, gone),
            (3, found.clone()),
        ],
    )
    .await;
    let alarms = alarms(&venue).await;
    let [alarm] = &alarms[..] else {
        panic!("{alarms:?}")
    };
    assert_eq!(alarm.occurrences, 1);
    assert!(alarm.act.contains("refundedAdmissions"), "{}", alarm.act);
    let details = &alarm.details;
    assert_eq!(
        details["amount"],
        serde_json::to_value(found.amount).unwrap()
    );
    assert_eq!(
        (&details["place"], &details["gateName"]),
        (&"A-12".into(), &"North gate".into())
    );
    assert_eq!(details["ticketId"], found.ticket_id.to_string());
    assert_eq!(details["orderId"], found.order_id.to_string());
    let state = &report(&venue).await.refunded_admissions[0].state;
    assert_eq!(state, "refund", "the newest version is true");
}

/// C05: nothing went back, or nobody was let in: the row is gone, whatever comes late.
#[tokio::test(flavor = "multi_thread")]
async fn a_finding_that_is_dissolved_leaves_the_report_and_one_that_comes_back_is_new() {
    let venue = Venue::open().await;
    let (node, gate) = outage(&venue).await;
    let (first, late) = (
        guest(&venue, &node, gate, 401),
        guest(&venue, &node, gate, 402),
    );
    publish(
        &venue,
        &[
            (3, first.clone()),
            (4, dissolved(&first)),
            (3, first.clone()),
        ],
    )
    .await;
    publish(&venue, &[(4, dissolved(&late)), (3, late)]).await;
    let nobody = report(&venue).await;
    assert!(nobody.refunded_admissions.is_empty(), "{nobody:#?}");
    assert_eq!(nobody.outages[0].refunded_admissions, 0);
    assert!(nobody.outages[0].refunded_amounts.is_empty());
    assert!(
        alarms(&venue).await.is_empty(),
        "there is nobody to send to"
    );
    let ended = alarms_where(&venue.owner(), "state=ended").await;
    assert_eq!(ended.len(), 1, "of the first alone: {ended:?}");

    publish(&venue, &[(6, first)]).await;
    assert_eq!(report(&venue).await.refunded_admissions.len(), 1);
    assert_eq!(alarms(&venue).await.len(), 1);
}

/// C05: the place was sold again before the journal came, and the alarm said the opposite.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_without_a_place_is_an_alarm_with_what_became_of_the_place() {
    let venue = Venue::open().await;
    let (node, gate) = outage(&venue).await;
    let found = revoked(&guest(&venue, &node, gate, 401));
    publish(&venue, &[(4, found.clone())]).await;
    let buyer = OrderId(venue.new_id());
    let told = GuestDisplaced {
        ticket_id: found.ticket_id,
        order_id: found.order_id,
        venue_id: venue.id,
        performance_id: found.performance_id,
        place: found.seat_label.clone(),
        place_state: PlaceState::Sold,
        sold_to: Some(buyer),
        released_at: Some(venue.core.clock.now()),
        gate_id: gate,
        earliest: found.admission.earliest,
        latest: found.admission.latest,
    };
    venue.publish("inventory", 4, &told).await;
    venue.core.settle().await;
    let alarms = alarms_of(&venue.owner()).await;
    let alarm = |code: &str| alarms.iter().find(|it| it.code == code).expect("an alarm");
    assert!(alarm(CODE).act.contains("guest_displaced"));
    let details = &alarm("guest_displaced").details;
    assert_eq!(
        (&details["place"], &details["placeState"]),
        (&"A-12".into(), &"sold".into())
    );
    assert_eq!(details["soldTo"], buyer.to_string());
    assert_eq!(details["gateName"], "North gate");
}

/// C05: one venue's guests and money are nobody else's business.
#[tokio::test(flavor = "multi_thread")]
async fn two_venues_do_not_see_each_others_guests() {
    let venue = Venue::open().await;
    let (node, gate) = outage(&venue).await;
    let other = VenueId(venue.new_id());
    let olaf = venue.core.user("olaf").role("VENUE_IT");
    let created = VenueCreated {
        venue_id: other,
        facts: VenueFacts {
            name: "Grand hall".to_owned(),
            city: None,
            time_zone: "Europe/Paris".parse().unwrap(),
            owner_id: olaf.id().await,
            org_id: None,
            shared: false,
        },
    };
    venue.publish("inventory", 1, &created).await;
    // With the ids of this venue's scan and gate.
    let foreign = RefundedAdmitted {
        venue_id: other,
        ..guest(&venue, &node, gate, 401)
    };
    let own = guest(&venue, &node, gate, 402);
    publish(&venue, &[(3, foreign.clone()), (3, own.clone())]).await;
    let rows = report(&venue).await.refunded_admissions;
    let tickets: Vec<_> = rows.iter().map(|row| row.ticket_id).collect();
    assert_eq!(tickets, [own.ticket_id]);
    let path = format!("/fleet/venues/{other}/reconciliation");
    let theirs: Reconciliation = olaf.get(&path).await.read(200);
    assert!(theirs.refunded_admissions.is_empty(), "no outage of theirs");
    let ticket_of = |alarms: &[Alarm]| {
        let ids = alarms.iter().map(|alarm| alarm.details["ticketId"].clone());
        ids.collect::<Vec<_>>()
    };
    let (mine, theirs) = (alarms(&venue).await, alarms_of(&olaf).await);
    assert_eq!(ticket_of(&mine), [own.ticket_id.to_string()]);
    assert_eq!(ticket_of(&theirs), [foreign.ticket_id.to_string()]);
    assert!(theirs[0].details["gateName"].is_null(), "not their gate");
    let refused = olaf
        .get(&format!("/fleet/venues/{}/reconciliation", venue.id))
        .await;
    refused.assert_refused(403, "forbidden");
}
