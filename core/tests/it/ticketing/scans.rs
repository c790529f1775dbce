//! Scans that the core decides.

use eventify_contracts::ticketing::{ScanSuspected, TicketCheckedIn, TicketState};
use eventify_protocol::ids::{GateId, NodeId, PerformanceId};
use eventify_protocol::time::CoreTime;
use eventify_protocol::token::Parsed;
use eventify_protocol::verdict::Verdict;
use serde_json::json;

use crate::ticketing::world::Venue;
use crate::ticketing::world::connection::NodeConnection;
use crate::world::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_admits_once_and_the_same_scan_is_answered_the_same() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let first = venue.scan(0, &token);
    assert_eq!(connection.scan(&first).await, Verdict::Admit);
    assert_eq!(
        connection.scan(&first).await,
        Verdict::Admit,
        "the answer was lost"
    );
    let second = venue.scan(1, &token);
    let refused = connection.scan(&second).await;
    let Verdict::AlreadyUsed { first: entry } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!((entry.gate, entry.confirmed), (venue.gates[0], false));
    assert_eq!(connection.scan(&second).await, refused);
    let published = venue.published::<TicketCheckedIn>().await;
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].device_id, first.scanner.to_string());
    let facts = venue.published_facts(ticket).await;
    let TicketState::Used {
        scan_id,
        gate_id,
        at,
        confirmed,
    } = facts.state
    else {
        panic!("{facts:?}")
    };
    assert_eq!(
        (scan_id, gate_id, confirmed),
        (first.scan, venue.gates[0], false)
    );
    assert_eq!(CoreTime::from(at), entry.at);
    assert_eq!(venue.show(ticket).await.used_gate_id, Some(venue.gates[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_scans_at_two_gates_exactly_one_admits() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let scans: Vec<_> = (0..20).map(|n| venue.scan(n % 2, &token)).collect();
    for scan in &scans {
        connection.send(scan).await;
    }
    let mut admitted = 0;
    for scan in &scans {
        match connection.verdict(scan).await {
            Verdict::Admit => admitted += 1,
            Verdict::AlreadyUsed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(admitted, 1);
    assert_eq!(venue.published::<TicketCheckedIn>().await.len(), 1);
    assert_eq!(venue.published_facts(ticket).await.version, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_ticket_that_somebody_else_has_locked() {
    let venue = Venue::open().await;
    let seats = (1..=12).map(|n| venue.seat(&format!("A-{n}"))).collect();
    let order = venue.pay(seats).await;
    venue.core.settle().await;
    let tickets = venue.tickets(order.order_id).await;
    let mut scans = Vec::new();
    for ticket in &tickets {
        scans.push(venue.scan(0, &venue.token(*ticket).await));
    }
    let (locked, free) = tickets.split_at(4);
    let db = &venue.core.app().db;
    let mut other = db.read("ticketing").await.unwrap();
    sqlx::raw_sql("begin").execute(&mut *other).await.unwrap();
    sqlx::query("select from tickets where ticket_id = any($1) for update")
        .bind(locked.iter().map(|id| id.as_uuid()).collect::<Vec<_>>())
        .execute(&mut *other)
        .await
        .unwrap();
    let mut connection = NodeConnection::connect(&venue).await;
    for scan in &scans {
        connection.send(scan).await;
    }
    for scan in &scans[locked.len()..] {
        assert_eq!(connection.verdict(scan).await, Verdict::Admit);
    }
    sqlx::raw_sql("rollback")
        .execute(&mut *other)
        .await
        .unwrap();
    for scan in &scans[..locked.len()] {
        assert_eq!(connection.verdict(scan).await, Verdict::Admit);
    }
    let published = venue.published::<TicketCheckedIn>().await;
    assert_eq!(published.len(), locked.len() + free.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_id_used_twice_at_once_spoils_nothing_for_the_others() {
    let venue = Venue::open().await;
    let seats = (1..=12).map(|n| venue.seat(&format!("A-{n}"))).collect();
    let order = venue.pay(seats).await;
    venue.core.settle().await;
    let mut scans = Vec::new();
    for ticket in venue.tickets(order.order_id).await {
        scans.push(venue.scan(0, &venue.token(ticket).await));
    }
    let reused = scans[0].scan;
    scans[1].scan = reused;
    let mut connection = NodeConnection::connect(&venue).await;
    for scan in &scans {
        connection.send(scan).await;
    }
    for scan in &scans[2..] {
        assert_eq!(connection.verdict(scan).await, Verdict::Admit);
    }
    // One of the two that share an id; the other one is dropped.
    assert_eq!(connection.verdict(&scans[0]).await, Verdict::Admit);
    let published = venue.published::<TicketCheckedIn>().await;
    assert_eq!(published.len(), scans.len() - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_waited_past_its_deadline_burns_nothing() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let mut late = venue.scan(0, &token);
    late.deadline = CoreTime::from(venue.core.clock.now() - chrono::Duration::milliseconds(1));
    assert_eq!(connection.scan(&late).await, Verdict::TryAgain);

    // In time when it came, too late when it got the ticket.
    let db = &venue.core.app().db;
    let mut other = db.read("ticketing").await.unwrap();
    sqlx::raw_sql("begin").execute(&mut *other).await.unwrap();
    sqlx::query("select from tickets where ticket_id = $1 for update")
        .bind(ticket.as_uuid())
        .execute(&mut *other)
        .await
        .unwrap();
    let mut waiting = venue.scan(0, &token);
    waiting.deadline = CoreTime::from(venue.core.clock.now() + chrono::Duration::seconds(1));
    connection.send(&waiting).await;
    until("the scan waits for the lock", async || {
        let mut conn = db.read("ticketing").await.unwrap();
        sqlx::query_scalar("select exists (select from pg_locks where not granted)")
            .fetch_one(&mut *conn)
            .await
            .unwrap()
    })
    .await;
    let deadline = waiting.deadline;
    until("the deadline", async || {
        CoreTime::from(venue.core.clock.now()) >= deadline
    })
    .await;
    sqlx::raw_sql("rollback")
        .execute(&mut *other)
        .await
        .unwrap();
    assert_eq!(connection.verdict(&waiting).await, Verdict::TryAgain);
    assert_eq!(venue.show(ticket).await.status, "valid");
    assert!(venue.published::<TicketCheckedIn>().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_gates_performances_and_tokens_are_refused() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;

    let mut foreign = venue.scan(0, &token);
    foreign.gate = venue.gates[1];
    let mut unknown = venue.scan(0, &token);
    unknown.gate = GateId(venue.core.clock.new_id());
    for scan in [foreign, unknown] {
        let (gate, performance) = (scan.gate, venue.performance);
        assert_eq!(
            connection.scan(&scan).await,
            Verdict::NotValidHere { gate, performance }
        );
    }
    // Of one node and reason, one a minute.
    assert_eq!(suspicions(&venue).await, ["scan_gate_not_assigned"]);
    let elsewhere = PerformanceId(venue.core.clock.new_id());
    venue.gate(venue.gates[1], &[elsewhere], 2).await;
    venue.core.settle().await;
    let (gate, performance) = (venue.gates[1], venue.performance);
    let refused = connection.scan(&venue.scan(1, &token)).await;
    assert_eq!(refused, Verdict::NotValidHere { gate, performance });

    assert_eq!(
        connection.scan(&venue.scan(0, "HELLO")).await,
        Verdict::Unreadable
    );
    let other = eventify_kernel::clock::Clock::system();
    let forged = forge(&token, &other);
    assert_eq!(
        connection.scan(&venue.scan(0, &forged)).await,
        Verdict::Forged
    );
    assert_eq!(venue.show(ticket).await.status, "valid");
    assert_eq!(
        connection.scan(&venue.scan(0, &token)).await,
        Verdict::Admit
    );
}

/// The same claims, signed by somebody else.
fn forge(token: &str, clock: &eventify_kernel::clock::Clock) -> String {
    use eventify_protocol::keys::{PrivateKey, Window};
    use eventify_protocol::token::TicketSigner;

    let claims = *Parsed::read(token).unwrap().unverified_claims();
    let window = Window {
        not_before: 0,
        not_after: claims.expiry,
    };
    let signer = TicketSigner::new(PrivateKey::from_seed(&clock.random_bytes()), window);
    signer.sign(&claims).unwrap().as_str().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_and_reissued_tickets_are_refused() {
    let venue = Venue::open().await;
    let order = venue.pay(vec![venue.standing(2)]).await;
    venue.core.settle().await;
    let tickets = venue.tickets(order.order_id).await;
    let tokens = [venue.token(tickets[0]).await, venue.token(tickets[1]).await];
    venue.refund(&order, vec![tickets[0]], true).await;
    let ada = venue.core.user("ada").role("CUSTOMER");
    ada.post(&format!("/tickets/{}/reissue", tickets[1]), json!({}))
        .await
        .expect(200);
    let mut connection = NodeConnection::connect(&venue).await;
    for token in &tokens {
        assert_eq!(
            connection.scan(&venue.scan(0, token)).await,
            Verdict::Revoked
        );
    }
    let new = venue.token(tickets[1]).await;
    assert_eq!(connection.scan(&venue.scan(0, &new)).await, Verdict::Admit);
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_admit_around_their_performance_only() {
    let venue = Venue::empty(eventify_kernel::fault_injection::FaultInjection::default()).await;
    let now = venue.core.clock.now();
    let later = PerformanceId(venue.core.clock.new_id());
    venue
        .schedule(venue.performance, now - chrono::Duration::hours(6))
        .await;
    venue
        .schedule(later, now + chrono::Duration::hours(3))
        .await;
    let over = venue.pay(vec![venue.seat("A-1")]).await;
    let early = eventify_contracts::order::Item {
        performance_id: later,
        ..venue.seat("A-1")
    };
    let early = venue.pay(vec![early]).await;
    let (gate, node) = (venue.gates[0], venue.nodes[0]);
    venue.gate(gate, &[], 1).await;
    venue.enrol(node, gate).await;
    venue.core.settle().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let over = venue.tickets(over.order_id).await[0];
    let token = venue.token(over).await;
    let end = venue.show(over).await.valid_until.unwrap().timestamp() + 1;
    let clock = &venue.core.clock;
    until("the last second", async || clock.now().timestamp() >= end).await;
    let refused = connection.scan(&venue.scan(0, &token)).await;
    assert!(matches!(refused, Verdict::Expired { .. }), "{refused:?}");
    let token = venue.token(venue.tickets(early.order_id).await[0]).await;
    let refused = connection.scan(&venue.scan(0, &token)).await;
    assert!(matches!(refused, Verdict::NotYet { .. }), "{refused:?}");
}

/// What fleet was published, in the order of the alphabet.
async fn suspicions(venue: &Venue) -> Vec<String> {
    let published = venue.published::<ScanSuspected>().await;
    let mut codes: Vec<_> = published.into_iter().map(|it| it.code).collect();
    codes.sort();
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_nodes_own_scan_is_dropped() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let mut stranger = venue.scan(0, &token);
    stranger.node = NodeId(venue.core.clock.new_id());
    connection.send(&stranger).await;
    let key = format!("ev1.up.{}.scan", venue.nodes[0]);
    connection.send_bytes(&key, b"\xff\x00 not CBOR").await;
    connection.send_bytes("ev1.up.nobody.scan", b"").await;
    venue.revoke_node(1).await;
    connection.send(&venue.scan(1, &token)).await;
    // In the name of another node than the one that the broker let send it.
    connection
        .send_on_topic_of(stranger.node, &venue.scan(0, &token))
        .await;
    // The uplink works, and nothing of the above has changed anything.
    assert_eq!(
        connection.scan(&venue.scan(0, &token)).await,
        Verdict::Admit
    );
    until(
        "each is published to fleet, which raises the alarm",
        async || {
            suspicions(&venue).await
                == [
                    "message_malformed",
                    "scan_node_unknown",
                    "uplink_key_malformed",
                    "uplink_sender_mismatch",
                ]
        },
    )
    .await;
    assert_eq!(venue.published_facts(ticket).await.version, 2);
    assert_eq!(venue.published::<TicketCheckedIn>().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_id_used_for_something_else_changes_nothing() {
    let venue = Venue::open().await;
    let (_, token) = venue.ticket().await;
    let (other, other_token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let scan = venue.scan(0, &token);
    assert_eq!(connection.scan(&scan).await, Verdict::Admit);
    let mut reused = scan.clone();
    reused.token = other_token.clone();
    connection.send(&reused).await;
    let mut again = venue.scan(0, "HELLO");
    again.scanner = scan.scanner;
    assert_eq!(connection.scan(&again).await, Verdict::Unreadable);
    assert_eq!(connection.scan(&scan).await, Verdict::Admit);
    assert_eq!(venue.show(other).await.status, "valid");
}

/// S2c: each of them was an event and a row for ever. From the first on they are one alarm a minute and reason.
#[tokio::test(flavor = "multi_thread")]
async fn scans_that_a_node_makes_up_are_one_suspicion_and_no_row() {
    let venue = Venue::open().await;
    let (_, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let key = format!("ev1.up.{}.scan", venue.nodes[0]);
    for made_up in 0..200_u8 {
        connection.send_bytes(&key, &[0xff, made_up]).await;
    }
    assert_eq!(
        connection.scan(&venue.scan(0, &token)).await,
        Verdict::Admit
    );
    venue.core.settle().await;
    assert_eq!(suspicions(&venue).await, ["message_malformed"]);
    let mut conn = venue.core.app().db.read("ticketing").await.unwrap();
    let scans: i64 = sqlx::query_scalar("select count(*) from ticketing.scans")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(scans, 1, "the guest's");
}
