//! Check-in over REST.

use chrono::Duration;
use eventify_contracts::ticketing::TicketCheckedIn;
use eventify_kernel::fault_injection::FaultInjection;
use serde_json::json;

use crate::ticketing::world::Venue;
use crate::world::replies::CheckedIn;

#[tokio::test(flavor = "multi_thread")]
async fn assigned_staff_check_in_once() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let path = format!("/tickets/{ticket}/check-in");
    let sam = venue
        .core
        .user("sam")
        .role("STEWARD")
        .scope("ticket:checkin");
    let body = json!({ "gateId": venue.gates[0], "deviceId": "door-1", "token": token });
    let answer = sam.post(&path, body.clone()).await;
    assert_eq!(
        (answer.status, answer.code()),
        (403, "forbidden"),
        "not assigned yet"
    );

    let (event, user) = (venue.event, sam.id().await);
    let assignment = format!("/events/{event}/check-in-assignments/{user}");
    let other = venue.core.user("oscar").role("ORGANIZER");
    assert_eq!(other.put(&assignment, json!({})).await.status, 403);
    let olga = venue.core.user("olga").role("ORGANIZER");
    assert_eq!(olga.put(&assignment, json!({})).await.status, 204);
    let assignments = format!("/events/{event}/check-in-assignments");
    let list = olga.get(&assignments).await.expect(200);
    assert_eq!(list["items"][0]["userId"], json!(user));

    let unscoped = venue.core.user("sam").role("STEWARD");
    assert_eq!(unscoped.post(&path, body.clone()).await.status, 403);
    let checked_in: CheckedIn = sam.post(&path, body.clone()).await.read(200);
    assert_eq!(checked_in.status, "checked_in");
    assert_eq!(venue.show(ticket).await.status, "used");
    let published = venue.published::<TicketCheckedIn>().await;
    assert_eq!(published[0].device_id, "door-1");

    let again = json!({ "gateId": venue.gates[1] });
    let answer = sam.post(&path, again).await;
    answer.assert_refused(409, "already_used");
    let details = answer.error().details;
    assert_eq!(details[0].field, "first.at");
    assert_eq!(details[1].issue, venue.gates[0].to_string());
    let repeat = json!({
        "gateId": venue.gates[0], "deviceId": "door-1", "token": token,
        "scanId": checked_in.scan_id,
    });
    let again: CheckedIn = sam.post(&path, repeat).await.read(200);
    assert_eq!(again, checked_in);

    assert_eq!(olga.delete(&assignment).await.status, 204);
    assert_eq!(sam.post(&path, body).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_sees_of_a_ticket_what_it_needs_at_the_events_of_its_own() {
    let venue = Venue::open().await;
    let (ticket, _) = venue.ticket().await;
    let path = format!("/tickets/{ticket}");
    for role in ["CHECKIN", "STEWARD"] {
        let sam = venue.core.user(role).role(role);
        let answer = sam.get(&path).await;
        assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{role}");
        let (event, user) = (venue.event, sam.id().await);
        let assignment = format!("/events/{event}/check-in-assignments/{user}");
        let olga = venue.core.user("olga").role("ORGANIZER");
        assert_eq!(olga.put(&assignment, json!({})).await.status, 204);
        let seen = sam.get(&path).await.expect(200);
        assert_eq!(
            (&seen["seatLabel"], &seen["status"]),
            (&json!("A-1"), &json!("valid"))
        );
        for hidden in [
            "orderId",
            "unitPrice",
            "revokedReason",
            "createdAt",
            "customerId",
        ] {
            assert!(seen.get(hidden).is_none(), "{role} sees {hidden}");
        }
    }
    // The holder sees all of it.
    venue.show(ticket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_http_errors() {
    let venue = Venue::open().await;
    let (ticket, _) = venue.ticket().await;
    let (_, other) = venue.ticket().await;
    let root = venue
        .core
        .user("root")
        .role("ADMIN")
        .scope("ticket:checkin");
    let path = format!("/tickets/{ticket}/check-in");
    let gate = venue.gates[0];
    let nowhere = venue.core.clock.new_id();
    for (body, status, code) in [
        (json!({}), 400, "validation_error"),
        (json!({ "gateId": nowhere }), 422, "not_valid_here"),
        (
            json!({ "gateId": gate, "token": other }),
            422,
            "token_mismatch",
        ),
        (
            json!({ "gateId": gate, "token": "HELLO" }),
            422,
            "token_unreadable",
        ),
        (
            json!({ "gateId": gate, "deviceId": "x".repeat(101) }),
            400,
            "validation_error",
        ),
    ] {
        let answer = root.post(&path, body.clone()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{body}");
    }
    let unknown = format!("/tickets/{nowhere}/check-in");
    let answer = root.post(&unknown, json!({ "gateId": gate })).await;
    answer.assert_refused(404, "ticket_not_found");
    root.post(
        &format!("/tickets/{ticket}/revoke"),
        json!({ "reason": "fraud" }),
    )
    .await
    .expect(200);
    let answer = root.post(&path, json!({ "gateId": gate })).await;
    answer.assert_refused(409, "ticket_revoked");
}

/// A guest at the box office knows their seat, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_found_by_its_seat_by_those_whose_show_it_is() {
    let venue = Venue::open().await;
    let (ticket, _) = venue.ticket().await;
    let olga = venue.core.user("olga").role("ORGANIZER");
    let tickets = format!("/performances/{}/tickets", venue.performance);
    let all = olga.get(&tickets).await.expect(200);
    let found = &all["items"][0];
    assert_eq!(
        (&all["total"], &found["ticketId"]),
        (&json!(1), &json!(ticket))
    );
    assert!(found["orderId"].is_string(), "{found}");
    assert!(
        found.get("shortCode").is_none(),
        "it is the holder's: {found}"
    );
    let seat = found["seatLabel"].as_str().unwrap().to_lowercase();
    let of = |seat: &str| format!("{tickets}?seat={seat}");
    assert_eq!(olga.get(&of(&seat)).await.expect(200)["total"], 1);
    assert_eq!(olga.get(&of("Z-99")).await.expect(200)["total"], 0);

    let other = venue.core.user("oscar").role("ORGANIZER");
    assert_eq!(other.get(&of(&seat)).await.status, 403);
    let seller = venue.core.user("bo").role("BOX_OFFICE");
    assert_eq!(seller.get(&of(&seat)).await.status, 403, "of no venue");
    let (event, id) = (venue.event, seller.id().await);
    let assignment = format!("/events/{event}/check-in-assignments/{id}");
    assert_eq!(olga.put(&assignment, json!({})).await.status, 204);
    assert_eq!(seller.get(&of(&seat)).await.expect(200)["total"], 1);
    let nowhere = format!("/performances/{}/tickets", uuid::Uuid::from_u128(7));
    assert_eq!(olga.get(&nowhere).await.status, 404);
}

/// A venue without gates is one door: nobody has to invent a gate before the first guest comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_venue_without_gates_checks_in_without_one() {
    let venue = Venue::empty(FaultInjection::default()).await;
    let start = venue.core.clock.now() + Duration::minutes(30);
    venue.schedule(venue.performance, start).await;
    venue.core.settle().await;
    let (ticket, token) = venue.ticket().await;
    let path = format!("/tickets/{ticket}/check-in");
    let root = venue
        .core
        .user("root")
        .role("ADMIN")
        .scope("ticket:checkin");
    let door = venue.id.to_string();
    let answer = root.post(&path, json!({ "gateId": door })).await;
    answer.assert_refused(422, "not_valid_here");

    let scan = venue.core.clock.new_id();
    let body = json!({ "token": token, "scanId": scan });
    let checked_in: CheckedIn = root.post(&path, body.clone()).await.read(200);
    assert_eq!(checked_in.gate_id.to_string(), door);
    assert_eq!(
        venue.show(ticket).await.used_gate_id,
        Some(checked_in.gate_id)
    );
    let repeated: CheckedIn = root.post(&path, body).await.read(200);
    assert_eq!(repeated, checked_in);
    let again = root.post(&path, json!({ "token": token })).await;
    again.assert_refused(409, "already_used");
    let published = venue.published::<TicketCheckedIn>().await;
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].ticket_id, ticket);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_with_gates_wants_to_know_which() {
    let venue = Venue::open().await;
    let (ticket, _) = venue.ticket().await;
    let root = venue
        .core
        .user("root")
        .role("ADMIN")
        .scope("ticket:checkin");
    let answer = root
        .post(&format!("/tickets/{ticket}/check-in"), json!({}))
        .await;
    answer.assert_refused(400, "validation_error");
    assert_eq!(answer.error().details[0].field, "gateId");
    assert_eq!(venue.show(ticket).await.status, "valid");
}
