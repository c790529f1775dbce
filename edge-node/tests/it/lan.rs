//! The LAN API over real TLS, on a node that was connected a moment ago and decides alone.

use eventify_lan_client::{ClientError, Credentials, Method, NodeClient, Request};
use eventify_protocol::{
    hash::Hash32,
    lan::{AccessToken, StreamEvent, signature::Headers},
    verdict::{Mode, Verdict},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::world::{PROGRAM, Process, Scanner, TIMEOUTS, Venue, World, pair, refusal, scan_id};

const SCANS: &str = "/v1/scans";

/// The refusal of a single request.
pub(crate) async fn refused(scanner: &Scanner, request: &Request) -> String {
    let reply = scanner.lan.node().send(request).await.unwrap();
    refusal(reply.read::<Value>())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_is_decided_once_and_answered_again() {
    let world = World::alone(&[]).await;
    let scanner = world.scanner(1).await;
    assert_eq!(scanner.lan.pairing().gates.len(), 2);
    let (north, south) = (world.venue.north, world.venue.south);
    let (scan, token) = (scan_id(), &world.tickets[0].token);
    let first = scanner.scan_as(north, scan, token).await.unwrap();
    assert_eq!(
        (&first.verdict, first.mode),
        (&Verdict::Admit, Mode::Degraded)
    );
    let again = scanner.scan_as(north, scan, token).await.unwrap();
    assert!(again.repeated && again.verdict == Verdict::Admit);

    // The id is bound to scanner, gate and token.
    let conflict = "409 scan_id_conflict";
    assert_eq!(refusal(scanner.scan_as(south, scan, token).await), conflict);
    let other = &world.tickets[1].token;
    assert_eq!(refusal(scanner.scan_as(north, scan, other).await), conflict);
    let second = world.scanner(2).await;
    assert_eq!(refusal(second.scan_as(north, scan, token).await), conflict);

    let status = scanner.lan.status().await.unwrap();
    let mut gates = status.gates.iter();
    let gate = gates.find(|gate| gate.gate_id == north).unwrap();
    assert_eq!((gate.name.as_str(), gate.admitted), ("North", 1));
    assert_eq!(status.replica.tickets, 3_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_scanned_has_a_verdict() {
    let world = World::alone(&[]).await;
    let scanner = world.scanner(1).await;
    for token in [
        "",
        "EV1:",
        "https://example.org/\u{1F3AB}",
        &"X".repeat(2_000),
    ] {
        let answer = scanner.scan(world.venue.north, token).await;
        assert_eq!(answer.verdict, Verdict::Unreadable);
    }
    let other_venue = Venue::with_seed(100);
    for ticket in [other_venue.ticket(1), world.venue.ticket(77_777)] {
        let answer = scanner.scan(world.venue.north, &ticket.token).await;
        assert_eq!(answer.verdict, Verdict::UnknownOffline);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_paired_scanner_that_signs_is_answered() {
    let world = World::alone(&[]).await;
    let scanner = world.scanner(1).await;
    let body = json!({
        "scanId": scan_id(), "gateId": world.venue.north, "token": world.tickets[0].token,
    })
    .to_string()
    .into_bytes();
    let own = scanner.lan.credentials();
    let sign = |credentials: &Credentials| credentials.sign(Method::POST, SCANS, body.clone());
    let good = sign(&own);
    let signature = |signature| Request {
        signature,
        ..good.clone()
    };
    let access = |token: &str| AccessToken {
        token: token.to_owned(),
        expires_in: 600,
    };
    let with_access = |access| {
        sign(&Credentials {
            access,
            ..own.clone()
        })
    };

    let of_other_body = own.sign(Method::POST, SCANS, b"{}".to_vec()).signature;
    let of_other_path = own.sign(Method::POST, "/v1/tokens", body.clone()).signature;
    let narrowed = Headers {
        signature_input: "sig=(\"@method\")".to_owned(),
        ..good.signature.clone().unwrap()
    };
    let under_other_access = Request {
        authorization: "Bearer other".to_owned(),
        ..good.clone()
    };
    for request in [
        signature(of_other_body),
        signature(of_other_path),
        signature(Some(narrowed)),
        under_other_access,
    ] {
        assert_eq!(refused(&scanner, &request).await, "401 signature_invalid");
    }

    // Another scanner's token is worth nothing under this one's signature.
    let stolen = world.scanner(2).await.lan.credentials().access;
    for access in [Some(access("guessed")), None, stolen] {
        let request = with_access(access);
        assert_eq!(refused(&scanner, &request).await, "401 token_expired");
    }

    let unknown = sign(&Credentials {
        scanner_id: eventify_edge::clock::new_id(),
        ..own.clone()
    });
    assert_eq!(refused(&scanner, &unknown).await, "401 scanner_unknown");
    let unsigned = Request::unsigned(Method::GET, "/v1/status", Vec::new());
    assert_eq!(refused(&scanner, &unsigned).await, "401 not_signed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_request_for_a_token_earns_nothing() {
    let world = World::alone(&[]).await;
    let scanner = world.scanner(1).await;
    let recorded = scanner.lan.access_request().await.unwrap();
    let reply = scanner.lan.node().send(&recorded).await.unwrap();
    assert!(reply.read::<AccessToken>().is_ok());
    for _ in 0..5 {
        assert_eq!(refused(&scanner, &recorded).await, "401 nonce_refused");
    }
    // Nor does it push out a token that the scanner has.
    scanner.lan.status().await.unwrap();
    let without_access = Credentials {
        access: None,
        ..scanner.lan.credentials()
    };
    let without_nonce = without_access.sign(Method::POST, "/v1/tokens", Vec::new());
    assert_eq!(
        refused(&scanner, &without_nonce).await,
        "400 malformed_json"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_ordinary_answers() {
    let world = World::alone(&[]).await;
    let scanner = world.scanner(1).await;
    let north = world.venue.north;
    let extra = json!({ "scanId": scan_id(), "gateId": north, "token": "", "override": true });
    let (extra, large) = (extra.to_string(), " ".repeat(5_000));
    for (path, body, expected) in [
        (SCANS, "", "400 malformed_json"),
        (SCANS, "{", "400 malformed_json"),
        (SCANS, "[]", "400 malformed_json"),
        (SCANS, r#"{"scanId":"x"}"#, "400 malformed_json"),
        (SCANS, "\u{0}", "400 malformed_json"),
        (SCANS, &extra, "400 malformed_json"),
        (SCANS, &large, "413 body_too_large"),
        ("/v1/pairings", &large, "413 body_too_large"),
        ("/v1/nothing", "", "404 not_found"),
        ("/v1/status", "", "405 method_not_allowed"),
    ] {
        let credentials = scanner.lan.credentials();
        let request = credentials.sign(Method::POST, path, body.as_bytes().to_vec());
        assert_eq!(refused(&scanner, &request).await, expected, "{path} {body}");
    }
    let elsewhere = scanner.scan_as(eventify_edge::clock::new_id(), scan_id(), "");
    let refused = elsewhere.await.unwrap_err();
    let refused = &refused.refusal().expect("the node's answer").error;
    assert_eq!(refused.code, "gate_not_allowed");
    let detail = &refused.details[0];
    let named = detail.issue.contains(&format!("{north} (North"));
    assert!(detail.field == "gateId" && named, "{detail:?}");
    let alive = scanner.scan(north, &world.tickets[0].token).await;
    assert_eq!(alive.verdict, Verdict::Admit);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_carries_the_requests_correlation_id() {
    let world = World::alone(&[]).await;
    let scanner = world.scanner(1).await;
    let id = "0192f0c0-0000-7000-8000-0000000000aa".parse().unwrap();
    let request = Request {
        correlation_id: Some(id),
        ..Request::unsigned(Method::GET, "/v1/nothing", Vec::new())
    };
    let reply = scanner.lan.node().send(&request).await.unwrap();
    assert_eq!(reply.correlation_id, Some(id));
    let error = reply.read::<Value>().unwrap_err();
    assert_eq!(error.refusal().unwrap().error.correlation_id, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_a_node_with_another_key() {
    let world = World::alone(&[]).await;
    let url = world.node().pairing_code(None).node;
    let node = NodeClient::new(&url, Hash32([1; 32]), TIMEOUTS).unwrap();
    let error = node.nonce().await.unwrap_err();
    assert!(matches!(error, ClientError::WrongKey), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_has_the_countdown_and_the_counts() {
    let mut world = World::alone(&[]).await;
    let scanner = world.scanner(1).await;
    let mut events = scanner.events().await;
    scanner
        .scan(world.venue.north, &world.tickets[0].token)
        .await;
    let (mut counted, mut remaining) = (false, Vec::new());
    while !counted || remaining.len() < 2 {
        match events.next().await.unwrap().unwrap() {
            StreamEvent::Mode {
                mode, remaining_ms, ..
            } => {
                assert_eq!(mode, Mode::Degraded);
                remaining.push(remaining_ms.unwrap());
            }
            StreamEvent::Counts { gates } => {
                counted |= gates.iter().any(|gate| gate.admitted == 1);
            }
        }
    }
    assert!(
        remaining[1] < remaining[0] && remaining[0] < 300_000,
        "{remaining:?}"
    );
    // An open stream doesn't hold up the end.
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_ticket_scanned_everywhere_at_once_is_admitted_once() {
    let world = World::alone(&[("lan.max_strangers_per_address", "64")]).await;
    let scanner = world.scanner(1).await;
    let gates = [world.venue.north, world.venue.south];
    let token = &world.tickets[0].token;
    let answers = join_all((0..40).map(|i| scanner.scan(gates[i % 2], token))).await;
    let (admitted, others): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .map(|answer| answer.verdict)
        .partition(|verdict| *verdict == Verdict::Admit);
    assert_eq!(admitted.len(), 1);
    assert!(
        others
            .iter()
            .all(|verdict| matches!(verdict, Verdict::AlreadyUsed { .. }))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_without_room_answers_node_fault_and_admits_nobody() {
    // The smallest journal there may be, with half of it in reserve.
    let small = [
        ("journal.max_bytes", "1048576"),
        ("journal.reserve_bytes", "524288"),
    ];
    let mut world = World::alone(&small).await;
    let mut scanner = world.scanner(1).await;
    let north = world.venue.north;
    let mut admitted = Vec::new();
    let fault = loop {
        let (ticket, scan) = (&world.tickets[admitted.len()], scan_id());
        let answer = scanner.scan_as(north, scan, &ticket.token).await.unwrap();
        if answer.verdict != Verdict::Admit {
            break answer.verdict;
        }
        admitted.push(scan);
    };
    assert_eq!(fault, Verdict::NodeFault);
    assert!(admitted.len() > 100, "{}", admitted.len());
    let tickets = std::sync::Arc::clone(&world.tickets);
    let first = &tickets[0].token;
    assert_eq!(scanner.scan(north, first).await.verdict, Verdict::NodeFault);
    // A final verdict stands: its repeat needs no room.
    let repeat = scanner.scan_as(north, admitted[0], first).await.unwrap();
    assert!(repeat.repeated, "{repeat:?}");
    assert_eq!(repeat.verdict, Verdict::Admit);

    // With more room, everything is still known.
    world.stop().await;
    world.start(&[]).await;
    world.reconnect(&mut scanner).await;
    let repeat = scanner.scan_as(north, admitted[0], first).await.unwrap();
    assert!(repeat.repeated && repeat.verdict == Verdict::Admit);
}

/// S23: the log stands on the disk that the journal needs, and anybody on the LAN can be refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_refused_requests_is_a_few_lines_and_their_number() {
    let world = World::stopped(1);
    let mut node = Process::start(world.folder.path()).await;
    let scanner = pair(world.folder.path()).await;
    let nowhere = Request::unsigned(Method::GET, "/v1/nowhere", vec![]);
    for _ in 0..600 {
        assert_eq!(refused(&scanner, &nowhere).await, "404 not_found");
    }
    node.until_logged("lan.request_refused").await;
    let log = node.kill().await;
    let refusals = log.iter();
    let refusals = refusals.filter(|line| line["code"] == "lan.request_refused");
    let lines = refusals.count();
    assert!((1..300).contains(&lines), "{lines} lines of 600");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_without_room_is_logged_once_and_not_for_each_scan() {
    let world = World::stopped(1);
    let mut full = Command::new(PROGRAM);
    full.arg("run")
        .env_clear()
        .env("EVENTIFY_EDGE__JOURNAL__MAX_BYTES", "1048576")
        .env("EVENTIFY_EDGE__JOURNAL__RESERVE_BYTES", "1048575");
    let mut node = Process::start_by(full, world.folder.path()).await;
    let scanner = pair(world.folder.path()).await;
    for _ in 0..3 {
        let token = &world.tickets[0].token;
        let answer = scanner.scan(world.venue.north, token).await;
        assert_eq!(answer.verdict, Verdict::NodeFault);
    }
    node.until_logged("journal.no_space").await;
    let log = node.kill().await;
    let lines = log
        .iter()
        .filter(|line| line["code"] == "journal.no_space")
        .count();
    assert_eq!(lines, 1, "{log:#?}");
}
