//! Scans that the core decides.

use eventify_contracts::ticketing::TicketState;
use eventify_protocol::ids::{GateId, NodeId, PerformanceId};
use eventify_protocol::time::CoreTime;
use eventify_protocol::token::Parsed;
use eventify_protocol::verdict::Verdict;
use serde_json::json;

use crate::ticketing::line::Line;
use crate::ticketing::stage::Stage;
use crate::world::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_admits_once_and_the_same_scan_is_answered_the_same() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let first = stage.pull(0, &token);
    assert_eq!(line.scan(&first).await, Verdict::Admit);
    assert_eq!(
        line.scan(&first).await,
        Verdict::Admit,
        "the answer was lost"
    );
    let second = stage.pull(1, &token);
    let refused = line.scan(&second).await;
    let Verdict::AlreadyUsed { first: entry } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!((entry.gate, entry.confirmed), (stage.gates[0], false));
    assert_eq!(line.scan(&second).await, refused);
    let told = stage.told("ticket.checked_in").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["deviceId"], json!(first.scanner));
    let facts = stage.told_facts(ticket).await;
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
        (first.scan, stage.gates[0], false)
    );
    assert_eq!(CoreTime::from(at), entry.at);
    assert_eq!(
        stage.show(ticket).await["usedGateId"],
        json!(stage.gates[0])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_scans_at_two_gates_exactly_one_admits() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let pulls: Vec<_> = (0..20).map(|n| stage.pull(n % 2, &token)).collect();
    for pull in &pulls {
        line.send(pull).await;
    }
    let mut admitted = 0;
    for pull in &pulls {
        match line.verdict(pull).await {
            Verdict::Admit => admitted += 1,
            Verdict::AlreadyUsed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(admitted, 1);
    assert_eq!(stage.told("ticket.checked_in").await.len(), 1);
    assert_eq!(stage.told_facts(ticket).await.version, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_ticket_that_somebody_else_has_locked() {
    let stage = Stage::open().await;
    let seats = (1..=12).map(|n| stage.seat(&format!("A-{n}"))).collect();
    let order = stage.pay(seats).await;
    stage.core.settle().await;
    let tickets = stage.tickets(order.order_id).await;
    let mut pulls = Vec::new();
    for ticket in &tickets {
        pulls.push(stage.pull(0, &stage.token(*ticket).await));
    }
    let (locked, free) = tickets.split_at(4);
    let db = &stage.core.app().db;
    let mut other = db.read("ticketing").await.unwrap();
    sqlx::raw_sql("begin").execute(&mut *other).await.unwrap();
    sqlx::query("select from tickets where ticket_id = any($1) for update")
        .bind(locked.iter().map(|id| id.as_uuid()).collect::<Vec<_>>())
        .execute(&mut *other)
        .await
        .unwrap();
    let mut line = Line::connect(&stage).await;
    for pull in &pulls {
        line.send(pull).await;
    }
    for pull in &pulls[locked.len()..] {
        assert_eq!(line.verdict(pull).await, Verdict::Admit);
    }
    sqlx::raw_sql("rollback")
        .execute(&mut *other)
        .await
        .unwrap();
    for pull in &pulls[..locked.len()] {
        assert_eq!(line.verdict(pull).await, Verdict::Admit);
    }
    let told = stage.told("ticket.checked_in").await;
    assert_eq!(told.len(), locked.len() + free.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_id_used_twice_at_once_spoils_nothing_for_the_others() {
    let stage = Stage::open().await;
    let seats = (1..=12).map(|n| stage.seat(&format!("A-{n}"))).collect();
    let order = stage.pay(seats).await;
    stage.core.settle().await;
    let mut pulls = Vec::new();
    for ticket in stage.tickets(order.order_id).await {
        pulls.push(stage.pull(0, &stage.token(ticket).await));
    }
    let reused = pulls[0].scan;
    pulls[1].scan = reused;
    let mut line = Line::connect(&stage).await;
    for pull in &pulls {
        line.send(pull).await;
    }
    for pull in &pulls[2..] {
        assert_eq!(line.verdict(pull).await, Verdict::Admit);
    }
    // One of the two that share an id; the other one is dropped.
    assert_eq!(line.verdict(&pulls[0]).await, Verdict::Admit);
    let told = stage.told("ticket.checked_in").await;
    assert_eq!(told.len(), pulls.len() - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_waited_past_its_deadline_burns_nothing() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let mut late = stage.pull(0, &token);
    late.deadline = CoreTime::from(stage.core.clock.now() - chrono::Duration::milliseconds(1));
    assert_eq!(line.scan(&late).await, Verdict::TryAgain);

    // In time when it came, too late when it got the ticket.
    let db = &stage.core.app().db;
    let mut other = db.read("ticketing").await.unwrap();
    sqlx::raw_sql("begin").execute(&mut *other).await.unwrap();
    sqlx::query("select from tickets where ticket_id = $1 for update")
        .bind(ticket.as_uuid())
        .execute(&mut *other)
        .await
        .unwrap();
    let mut waiting = stage.pull(0, &token);
    waiting.deadline = CoreTime::from(stage.core.clock.now() + chrono::Duration::seconds(1));
    line.send(&waiting).await;
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
        CoreTime::from(stage.core.clock.now()) >= deadline
    })
    .await;
    sqlx::raw_sql("rollback")
        .execute(&mut *other)
        .await
        .unwrap();
    assert_eq!(line.verdict(&waiting).await, Verdict::TryAgain);
    assert_eq!(stage.show(ticket).await["status"], "valid");
    assert!(stage.told("ticket.checked_in").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_gates_performances_and_tokens_are_refused() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;

    let mut foreign = stage.pull(0, &token);
    foreign.gate = stage.gates[1];
    let mut unknown = stage.pull(0, &token);
    unknown.gate = GateId(stage.core.clock.new_id());
    for pull in [foreign, unknown] {
        let (gate, performance) = (pull.gate, stage.performance);
        assert_eq!(
            line.scan(&pull).await,
            Verdict::NotValidHere { gate, performance }
        );
    }
    assert_eq!(suspicions(&stage).await, ["scan_gate_not_assigned"; 2]);
    let elsewhere = PerformanceId(stage.core.clock.new_id());
    stage.gate(stage.gates[1], &[elsewhere], 2).await;
    stage.core.settle().await;
    let (gate, performance) = (stage.gates[1], stage.performance);
    let refused = line.scan(&stage.pull(1, &token)).await;
    assert_eq!(refused, Verdict::NotValidHere { gate, performance });

    assert_eq!(
        line.scan(&stage.pull(0, "HELLO")).await,
        Verdict::Unreadable
    );
    let other = eventify_kernel::clock::Clock::system();
    let forged = forge(&token, &other);
    assert_eq!(line.scan(&stage.pull(0, &forged)).await, Verdict::Forged);
    assert_eq!(stage.show(ticket).await["status"], "valid");
    assert_eq!(line.scan(&stage.pull(0, &token)).await, Verdict::Admit);
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
    let stage = Stage::open().await;
    let order = stage.pay(vec![stage.standing(2)]).await;
    stage.core.settle().await;
    let tickets = stage.tickets(order.order_id).await;
    let tokens = [stage.token(tickets[0]).await, stage.token(tickets[1]).await];
    stage.refund(&order, vec![tickets[0]], true).await;
    let ada = stage.core.user("ada").role("CUSTOMER");
    ada.post(&format!("/tickets/{}/reissue", tickets[1]), json!({}))
        .await
        .expect(200);
    let mut line = Line::connect(&stage).await;
    for token in &tokens {
        assert_eq!(line.scan(&stage.pull(0, token)).await, Verdict::Revoked);
    }
    let new = stage.token(tickets[1]).await;
    assert_eq!(line.scan(&stage.pull(0, &new)).await, Verdict::Admit);
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_admit_around_their_performance_only() {
    let stage = Stage::empty(eventify_kernel::fault_injection::FaultInjection::default()).await;
    let now = stage.core.clock.now();
    let later = PerformanceId(stage.core.clock.new_id());
    stage
        .schedule(stage.performance, now - chrono::Duration::hours(6))
        .await;
    stage
        .schedule(later, now + chrono::Duration::hours(3))
        .await;
    let over = stage.pay(vec![stage.seat("A-1")]).await;
    let early = eventify_contracts::order::Item {
        performance_id: later,
        ..stage.seat("A-1")
    };
    let early = stage.pay(vec![early]).await;
    let (gate, node) = (stage.gates[0], stage.nodes[0]);
    stage.gate(gate, &[], 1).await;
    stage.enrol(node, gate).await;
    stage.core.settle().await;
    let mut line = Line::connect(&stage).await;
    let token = stage.token(stage.tickets(over.order_id).await[0]).await;
    let expiry = Parsed::read(&token).unwrap().unverified_claims().expiry;
    let clock = &stage.core.clock;
    until("the last second", async || {
        clock.now().timestamp() >= expiry
    })
    .await;
    let refused = line.scan(&stage.pull(0, &token)).await;
    assert!(matches!(refused, Verdict::Expired { .. }), "{refused:?}");
    let token = stage.token(stage.tickets(early.order_id).await[0]).await;
    let refused = line.scan(&stage.pull(0, &token)).await;
    assert!(matches!(refused, Verdict::NotYet { .. }), "{refused:?}");
}

/// What fleet was told, in the order of the alphabet.
async fn suspicions(stage: &Stage) -> Vec<String> {
    let told = stage.told("ticketing.scan.suspected").await;
    let mut codes: Vec<_> = told
        .iter()
        .map(|it| it["code"].as_str().unwrap().to_owned())
        .collect();
    codes.sort();
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_nodes_own_scan_is_dropped() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let mut stranger = stage.pull(0, &token);
    stranger.node = NodeId(stage.core.clock.new_id());
    line.send(&stranger).await;
    let key = format!("ev1.up.{}.scan", stage.nodes[0]);
    line.send_bytes(&key, b"\xff\x00 not CBOR").await;
    line.send_bytes("ev1.up.nobody.scan", b"").await;
    stage.revoke_node(1).await;
    line.send(&stage.pull(1, &token)).await;
    // In the name of another node than the one that the broker let send it.
    line.send_on_topic_of(stranger.node, &stage.pull(0, &token))
        .await;
    // The pipe is alive, and nothing of the above has done anything.
    assert_eq!(line.scan(&stage.pull(0, &token)).await, Verdict::Admit);
    until(
        "each is told to fleet, which raises the alarm",
        async || {
            suspicions(&stage).await
                == [
                    "message_malformed",
                    "scan_node_unknown",
                    "uplink_key_malformed",
                    "uplink_sender_mismatch",
                ]
        },
    )
    .await;
    assert_eq!(stage.told_facts(ticket).await.version, 2);
    assert_eq!(stage.told("ticket.checked_in").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_id_used_for_something_else_changes_nothing() {
    let stage = Stage::open().await;
    let (_, token) = stage.ticket().await;
    let (other, other_token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let pull = stage.pull(0, &token);
    assert_eq!(line.scan(&pull).await, Verdict::Admit);
    let mut reused = pull.clone();
    reused.token = other_token.clone();
    line.send(&reused).await;
    let mut again = stage.pull(0, "HELLO");
    again.scanner = pull.scanner;
    assert_eq!(line.scan(&again).await, Verdict::Unreadable);
    assert_eq!(line.scan(&pull).await, Verdict::Admit);
    assert_eq!(stage.show(other).await["status"], "valid");
}
