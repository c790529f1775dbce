//! Tickets whose money is asked back.

use chrono::Duration;
use eventify_contracts::order::{OrderPaid, OrderRefundGivenUp, OrderRefundOpened, RefundReason};
use eventify_contracts::ticketing::{
    KeptBack, NotGood, RefundedAdmitted, TicketRevoked, TicketState, TicketsSuspended,
};
use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::ids::{RefundId, TicketId};
use eventify_protocol::verdict::Verdict;
use serde_json::json;

use crate::ticketing::world::connection::NodeConnection;
use crate::ticketing::world::journal::{Journal, classes, entries};
use crate::ticketing::world::{ORDER, Venue};
use crate::world::house::euro;

const BY_CUSTOMER: RefundReason = RefundReason::UserRequest;
const BY_ORGANISER: RefundReason = RefundReason::OrganiserDecision;

async fn open(venue: &Venue, of: &OrderPaid, tickets: &[TicketId], why: RefundReason) -> RefundId {
    let opened = OrderRefundOpened {
        order_id: of.order_id,
        refund_id: venue.core.clock.new_id().into(),
        ticket_ids: tickets.to_vec(),
        reason: why,
    };
    venue.publish(ORDER, 2, &opened).await;
    venue.core.settle().await;
    opened.refund_id
}

async fn give_up(venue: &Venue, of: &OrderPaid, tickets: &[TicketId], refund_id: RefundId) {
    let given_up = OrderRefundGivenUp {
        order_id: of.order_id,
        refund_id,
        ticket_ids: tickets.to_vec(),
    };
    venue.publish(ORDER, 3, &given_up).await;
    venue.core.settle().await;
}

async fn bought(venue: &Venue, qty: u32) -> (OrderPaid, Vec<TicketId>) {
    let order = venue.pay(vec![venue.standing(qty)]).await;
    venue.core.settle().await;
    let tickets = venue.tickets(order.order_id).await;
    (order, tickets)
}

/// C05: from the request on nobody is admitted with the ticket; if nothing goes back, it is good again.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_admitted_while_the_money_is_on_its_way_back() {
    let venue = Venue::with_faults(FaultInjection::deliver_twice()).await;
    let (order, tickets) = bought(&venue, 2).await;
    let [back, kept] = tickets[..] else {
        panic!("two")
    };
    let (token, other) = (venue.token(back).await, venue.token(kept).await);
    let refund = open(&venue, &order, &[back], BY_CUSTOMER).await;
    let facts = venue.published_facts(back).await;
    assert_eq!(facts.state, TicketState::Suspended, "gates hear of it");
    assert_eq!(venue.show(back).await.status, "suspended");
    let mut connection = NodeConnection::connect(&venue).await;
    let refused = connection.scan(&venue.scan(0, &token)).await;
    assert_eq!(refused, Verdict::Revoked);
    assert_eq!(
        connection.scan(&venue.scan(0, &other)).await,
        Verdict::Admit
    );
    let ada = venue.core.user("ada").role("CUSTOMER");
    let shown = ada.get(&format!("/tickets/{back}/token")).await;
    shown.assert_refused(409, "ticket_suspended");
    let reissue = format!("/tickets/{back}/reissue");
    let reissued = ada.post(&reissue, json!({})).await;
    reissued.assert_refused(409, "ticket_suspended");

    let another = venue.core.clock.new_id().into();
    give_up(&venue, &order, &[back], another).await;
    assert_eq!(
        venue.show(back).await.status,
        "suspended",
        "by another refund"
    );
    give_up(&venue, &order, &[back], refund).await;
    assert_eq!(venue.published_facts(back).await.state, TicketState::Valid);
    assert_eq!(
        connection.scan(&venue.scan(0, &token)).await,
        Verdict::Admit
    );
}

/// S7: a customer's own cancel takes no ticket that somebody was admitted with, or that was revoked;
/// the organiser's takes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_is_inside_does_not_get_the_money_by_a_click() {
    let venue = Venue::open().await;
    let (order, tickets) = bought(&venue, 3).await;
    let [used, revoked, good] = tickets[..] else {
        panic!("three")
    };
    let token = venue.token(used).await;
    let mut connection = NodeConnection::connect(&venue).await;
    let scan = venue.scan(0, &token);
    assert_eq!(connection.scan(&scan).await, Verdict::Admit);
    let admin = venue.core.user("root").role("ADMIN");
    let body = json!({ "reason": "fraud" });
    let path = format!("/tickets/{revoked}/revoke");
    admin.post(&path, body).await.expect(200);
    open(&venue, &order, &tickets, BY_CUSTOMER).await;
    let told = venue.published::<TicketsSuspended>().await.remove(0);
    let because = |id| {
        let mut refused = told.refused.iter();
        refused.find(|it| it.ticket_id == id).map(|it| it.because)
    };
    assert_eq!(because(used), Some(NotGood::Used));
    assert_eq!(because(revoked), Some(NotGood::Revoked));
    assert_eq!((because(good), told.tickets.len()), (None, 1));
    assert_eq!(venue.show(used).await.status, "used");

    let refund = open(&venue, &order, &[used, revoked], BY_ORGANISER).await;
    let told = venue.published::<TicketsSuspended>().await.remove(1);
    assert!(told.refused.is_empty(), "{told:?}");
    assert_eq!(venue.show(used).await.status, "suspended");
    assert_eq!(venue.show(revoked).await.status, "revoked");
    give_up(&venue, &order, &[used, revoked], refund).await;
    assert_eq!(venue.show(used).await.status, "used", "as it was before");
    assert_eq!(venue.show(revoked).await.status, "revoked");
}

/// C05: a gate without connection admits with a ticket that is being refunded: the entry is kept, and
/// the money and the gate are told; no longer when nobody was admitted after all.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_admitted_by_a_cut_gate_during_the_refund_is_known_with_money_and_gate() {
    let venue = Venue::with_faults(FaultInjection::deliver_twice()).await;
    let (order, tickets) = bought(&venue, 1).await;
    let token = venue.token(tickets[0]).await;
    let refund = open(&venue, &order, &tickets, BY_CUSTOMER).await;
    let scan = venue.scan(0, &token);
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&scan, Verdict::Admit);
    journal.upload().await;
    assert_eq!(classes(&venue).await, ["admitted"]);
    let facts = venue.published_facts(tickets[0]).await;
    assert_eq!(facts.state, TicketState::Suspended, "and stays so");
    let told = venue.published::<RefundedAdmitted>().await;
    let [found] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(found.amount, euro("49.90"));
    assert_eq!((found.refund_id, &found.revoked), (Some(refund), &None));
    let admission = (found.admission.scan_id, found.admission.gate_id);
    assert_eq!(admission, (scan.scan, venue.gates[0]));
    assert!(!found.dissolved);

    venue.refund(&order, tickets.clone(), false).await;
    let revoked = venue.published::<TicketRevoked>().await.remove(0);
    assert_eq!(
        revoked.kept_back,
        Some(KeptBack::Used),
        "somebody sits there"
    );
    let inside = revoked.guest.expect("the guest");
    assert_eq!(inside.gate_id, venue.gates[0]);
    journal.voided(&scan);
    journal.upload().await;
    let told = venue.published::<RefundedAdmitted>().await;
    assert!(told.last().unwrap().dissolved, "it was never shown");
    assert_eq!(told.last().unwrap().revoked.as_deref(), Some("refund"));
    assert_eq!(venue.show(tickets[0]).await.used_at, None);
}

/// C05: the same, and then nothing goes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_given_up_leaves_no_finding_about_its_guest() {
    let venue = Venue::open().await;
    let (order, tickets) = bought(&venue, 1).await;
    let token = venue.token(tickets[0]).await;
    let refund = open(&venue, &order, &tickets, BY_ORGANISER).await;
    let scan = venue.scan(0, &token);
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&scan, Verdict::Admit);
    journal.upload().await;
    give_up(&venue, &order, &tickets, refund).await;
    let told = venue.published::<RefundedAdmitted>().await;
    let dissolved: Vec<_> = told.iter().map(|it| it.dissolved).collect();
    assert_eq!(dissolved, [false, true]);
    let admitted = entries(&venue, tickets[0]).await.0;
    assert_eq!(admitted, Some((scan.scan, true)), "used, as everybody sees");
}

/// C05: the guest's row said "suspended" for ever, after the money had gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_is_inside_stays_known_when_the_money_has_gone() {
    let venue = Venue::with_faults(FaultInjection::deliver_twice()).await;
    let (order, tickets) = bought(&venue, 1).await;
    let token = venue.token(tickets[0]).await;
    open(&venue, &order, &tickets, BY_CUSTOMER).await;
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&venue.scan(0, &token), Verdict::Admit);
    journal.upload().await;
    venue.refund(&order, tickets, false).await;
    let told = venue.published::<RefundedAdmitted>().await;
    let states: Vec<_> = told.iter().map(RefundedAdmitted::state).collect();
    assert_eq!(states, ["suspended", "refund"]);
    assert!(told.iter().all(|it| !it.dissolved));
}

/// C05: the core let the guest in, and the organiser paid back knowing it. The journal's row, which
/// comes after that, is no news; only another guest at a cut gate is.
#[tokio::test(flavor = "multi_thread")]
async fn who_pays_a_guest_back_knowingly_is_not_alarmed_by_the_journal() {
    let venue = Venue::open().await;
    let (order, tickets) = bought(&venue, 1).await;
    let token = venue.token(tickets[0]).await;
    let mut connection = NodeConnection::connect(&venue).await;
    let (online, alone) = (venue.scan(0, &token), venue.scan(1, &token));
    assert_eq!(connection.scan(&online).await, Verdict::Admit);
    open(&venue, &order, &tickets, BY_ORGANISER).await;
    let mut journal = Journal::of(&venue, 0);
    journal.confirmed(&online);
    journal.upload().await;
    assert!(venue.published::<RefundedAdmitted>().await.is_empty());

    let mut journal = Journal::of(&venue, 1);
    journal.shown(&alone, Verdict::Admit);
    journal.upload().await;
    let told = venue.published::<RefundedAdmitted>().await;
    let named: Vec<_> = told.iter().map(|it| it.admission.scan_id).collect();
    assert_eq!(named, [alone.scan], "at the gate that had no connection");
}

/// C05: whose place is free at once, and whose is not sold while somebody may sit on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_kept_back_when_a_gate_may_have_admitted_to_it() {
    let venue = Venue::empty(FaultInjection::default()).await;
    let begins = venue.core.clock.now() + Duration::hours(3);
    // Gates admit from 90 minutes before.
    venue.schedule(venue.performance, begins).await;
    let (order, tickets) = bought(&venue, 3).await;
    venue.refund(&order, vec![tickets[0]], true).await;
    venue.core.advance(Duration::minutes(86));
    venue.refund(&order, vec![tickets[1]], true).await;
    let fraud = json!({ "reason": "fraud" });
    let admin = venue.core.user("root").role("ADMIN");
    let path = format!("/tickets/{}/revoke", tickets[2]);
    admin.post(&path, fraud).await.expect(200);
    let revoked = venue.published::<TicketRevoked>().await;
    let doors = Some(begins - Duration::minutes(90));
    let since: Vec<_> = revoked.iter().map(|it| it.gates_since).collect();
    assert_eq!(since, [None, doors, doors]);
    let kept: Vec<_> = revoked.into_iter().map(|it| it.kept_back).collect();
    let (gates, fraud) = (Some(KeptBack::GatesAdmit), Some(KeptBack::Fraud));
    assert_eq!(kept, [None, gates, fraud]);
}

/// C05: a gate without connection had let the guest in; then the doors were moved, and the seat was sold
/// over the guest's head.
#[tokio::test(flavor = "multi_thread")]
async fn moving_the_doors_frees_no_seat_on_which_a_guest_may_sit() {
    let venue = Venue::empty(FaultInjection::deliver_twice()).await;
    let now = venue.core.clock.now();
    venue
        .schedule(venue.performance, now + Duration::hours(3))
        .await;
    let (order, tickets) = bought(&venue, 4).await;
    // No gate has begun: nobody is inside, whatever the times were.
    let begins_in = [Duration::hours(4), Duration::minutes(30), Duration::days(7)];
    for (version, ahead) in (2..).zip(begins_in) {
        venue
            .reschedule(version, venue.played(now + ahead, false))
            .await;
        if version == 2 {
            venue.refund(&order, vec![tickets[0]], true).await;
        }
    }
    // Gates have admitted by the third times, and only then it was postponed.
    venue.refund(&order, vec![tickets[1]], true).await;
    let later = venue.played(now + Duration::days(14), false);
    venue.reschedule(5, later).await;
    let admin = venue.core.user("root").role("ADMIN");
    let path = format!("/tickets/{}/revoke", tickets[2]);
    let body = json!({ "reason": "replaced" });
    admin.post(&path, body).await.expect(200);
    // The evening is over, and everybody has gone.
    venue.core.advance(Duration::hours(7));
    venue.refund(&order, vec![tickets[3]], true).await;
    let revoked = venue.published::<TicketRevoked>().await.into_iter();
    let kept: Vec<_> = revoked.map(|it| it.kept_back).collect();
    let gates = Some(KeptBack::GatesAdmit);
    assert_eq!(kept, [None, gates, gates, None]);
}
