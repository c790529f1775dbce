//! Short codes: made with the ticket, shown to its holder alone, and good for one admission.

use eventify_contracts::ticketing::TicketsCoded;
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::TicketId;
use eventify_protocol::short_code::{CodeHash, ShortCode};
use eventify_protocol::sync::{Decision, JournalEntry};
use eventify_protocol::verdict::Verdict;
use reqwest::Method;
use serde_json::json;

use crate::ticketing::world::Venue;
use crate::ticketing::world::connection::{NodeConnection, TestScan};
use crate::ticketing::world::journal::{Journal, entries};
use crate::world::replies::Ticket;

async fn code_of(venue: &Venue, ticket: TicketId) -> String {
    venue.show(ticket).await.short_code.expect("a code")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_and_nobody_else_sees_the_short_code_beside_the_qr_code() {
    let venue = Venue::open().await;
    let (ticket, _) = venue.ticket().await;
    let code = code_of(&venue, ticket).await;
    assert_eq!(code.parse::<ShortCode>().unwrap().to_string(), code);
    let ada = venue.core.user("ada").role("CUSTOMER");
    let get = async |path: &str| {
        let request = ada.request(Method::GET, &format!("/tickets/{ticket}{path}"));
        request.send().await.unwrap()
    };
    let shown = get("").await;
    assert_eq!(shown.headers()["cache-control"], "private, no-store");
    let token = get("/token").await;
    assert_eq!(token.headers()["eventify-short-code"], code.as_str());
    let svg = get("/qr.svg").await.text().await.unwrap();
    assert!(
        svg.contains(&format!("<title>{code}</title>")),
        "printed under it"
    );

    let facts = venue.published_facts(ticket).await;
    let hash = code.parse::<ShortCode>().unwrap().hash(venue.id);
    assert_eq!(facts.code_tag, Some(hash.tag()), "what the feed gets");
    let path = format!("/tickets/{ticket}");
    for (name, role) in [("root", "ADMIN"), ("sue", "SUPPORT"), ("olga", "ORGANIZER")] {
        let staff: Ticket = venue.core.user(name).role(role).get(&path).await.read(200);
        assert_eq!(staff.short_code, None, "{role}");
    }
    let olga = venue.core.user("olga").role("ORGANIZER");
    let reason = json!({ "reason": "replaced" });
    assert_eq!(
        olga.post(&format!("{path}/revoke"), reason).await.status,
        200
    );
    assert_eq!(
        venue.show(ticket).await.short_code,
        None,
        "of no use any more"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_by_short_code_is_a_scan_of_the_ticket() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let code = code_of(&venue, ticket).await;
    let mut connection = NodeConnection::connect(&venue).await;
    let typed = venue.typed(0, &code.to_lowercase());
    connection.send(&typed).await;
    let answer = connection.answer(&typed).await;
    assert_eq!(answer.verdict, Verdict::Admit);
    let named = answer.ticket.expect("the node is told which");
    assert_eq!(
        (named.ticket, named.place.as_deref()),
        (ticket, Some("A-1"))
    );
    assert_eq!(connection.scan(&typed).await, Verdict::Admit, "asked again");

    let scanned = venue.scan(1, &token);
    connection.send(&scanned).await;
    let answer = connection.answer(&scanned).await;
    let Verdict::AlreadyUsed { first } = answer.verdict else {
        panic!("{answer:?}")
    };
    assert_eq!(first.gate, venue.gates[0]);
    assert_eq!(answer.ticket.map(|it| it.ticket), Some(ticket));
    let again = connection.scan(&venue.typed(1, &code)).await;
    assert!(matches!(again, Verdict::AlreadyUsed { .. }), "{again:?}");
    assert_eq!(entries(&venue, ticket).await.0, Some((typed.scan, false)));
}

/// The tag that the feed carries is not enough: whoever has a node's disk knows that.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_tickets_code_is_unreadable_and_admits_nobody() {
    let venue = Venue::open().await;
    let (ticket, _) = venue.ticket().await;
    let code: ShortCode = code_of(&venue, ticket).await.parse().unwrap();
    let mut connection = NodeConnection::connect(&venue).await;
    let mut from_tag = [0; 32];
    from_tag[..8].copy_from_slice(&code.hash(venue.id).tag().0);
    let wrong = [
        venue.typed(0, "00000-00000"),
        TestScan {
            code: Some(CodeHash(Hash32(from_tag))),
            ..venue.scan(0, "")
        },
        TestScan {
            code: Some(code.hash(venue.core.clock.new_id().into())),
            ..venue.scan(0, "")
        },
    ];
    for scan in &wrong {
        connection.send(scan).await;
        let answer = connection.answer(scan).await;
        assert_eq!((answer.verdict, answer.ticket), (Verdict::Unreadable, None));
    }
    assert_eq!(venue.show(ticket).await.status, "valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reissued_ticket_has_another_short_code_and_the_old_one_is_nobodys() {
    let venue = Venue::open().await;
    let (ticket, _) = venue.ticket().await;
    let old = code_of(&venue, ticket).await;
    let ada = venue.core.user("ada").role("CUSTOMER");
    let path = format!("/tickets/{ticket}/reissue");
    let reissued: Ticket = ada.post(&path, json!({})).await.read(200);
    assert_eq!(
        reissued.short_code, None,
        "an answer that is kept for replay"
    );
    let new = code_of(&venue, ticket).await;
    assert_ne!(old, new);
    let mut connection = NodeConnection::connect(&venue).await;
    assert_eq!(
        connection.scan(&venue.typed(0, &old)).await,
        Verdict::Unreadable
    );
    assert_eq!(connection.scan(&venue.typed(0, &new)).await, Verdict::Admit);
}

/// The node gave up on the core, whose answer would have told it which ticket that is: its row names none,
/// and the admission that nobody was shown is taken back all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_admission_by_short_code_that_nobody_was_shown_is_taken_back() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let code = code_of(&venue, ticket).await;
    let mut connection = NodeConnection::connect(&venue).await;
    let typed = venue.typed(0, &code);
    assert_eq!(connection.scan(&typed).await, Verdict::Admit);
    let mut journal = Journal::of(&venue, 0);
    let decision = Decision {
        scan: typed.scan,
        scanner: typed.scanner,
        gate: typed.gate,
        token: typed.code.expect("typed").0,
        ticket: None,
        performance: None,
        asked_until: Some(typed.deadline),
        person: None,
        ..journal.decision(&venue.scan(0, &token), Verdict::UnknownOffline)
    };
    let now = venue.core.clock.now();
    journal.add(JournalEntry::Decision(decision), Some(now));
    journal.upload().await;
    assert_eq!(entries(&venue, ticket).await, (None, vec![]));
    assert_eq!(
        connection.scan(&venue.scan(1, &token)).await,
        Verdict::Admit
    );
}

/// After an upgrade, and while the release before still issues some.
#[tokio::test(flavor = "multi_thread")]
async fn tickets_of_before_get_their_codes_and_gates_are_told() {
    let venue = Venue::open().await;
    let order = venue.pay(vec![venue.seat("A-1"), venue.standing(2)]).await;
    venue.core.settle().await;
    let tickets = venue.tickets(order.order_id).await;
    let mut conn = venue.core.app().db.read("ticketing").await.unwrap();
    sqlx::query("update tickets set short_code = null, short_code_hash = null")
        .execute(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    let before = venue.show(tickets[0]).await;
    assert_eq!(before.short_code, None);
    for _ in 0..2 {
        venue.core.run_job("ticketing", "give_codes").await;
    }
    venue.core.settle().await;
    let given = venue.published::<TicketsCoded>().await;
    assert_eq!(given.len(), 1, "once");
    assert_eq!(given[0].tickets.len(), 3);
    for ticket in tickets {
        let shown = venue.show(ticket).await;
        assert_eq!(shown.version, before.version + 1);
        let code: ShortCode = shown.short_code.unwrap().parse().unwrap();
        let facts = venue.published_facts(ticket).await;
        assert_eq!(facts.code_tag, Some(code.hash(venue.id).tag()));
        assert!(facts.place().is_some());
    }
}
