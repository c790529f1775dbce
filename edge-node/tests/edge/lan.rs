//! The LAN API over real TLS, on a node that was connected a moment ago and decides alone.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use eventify_edge::{Node, clock::Clock};
use eventify_protocol::{
    hash::Hash32,
    lan::{AccessToken, PairingCode, StreamEvent, signature::Headers},
    verdict::{Mode, Verdict},
};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    Refusal, Scanner, Ticket, Venue, config, scan_id,
    scanner::{pinned_client, read},
    use_ring,
};

pub(crate) struct Door {
    folder: TempDir,
    pub(crate) venue: Venue,
    pub(crate) node: Node,
    pub(crate) tickets: Vec<Ticket>,
}

pub(crate) async fn door(settings: &[(&str, &str)]) -> Door {
    use_ring();
    let venue = Venue::new();
    let tickets = venue.many_tickets(3_000);
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::of_this_boot().unwrap();
    venue.furnish(folder.path(), &tickets, clock);
    let node = Node::start(&config(folder.path(), settings), clock)
        .await
        .unwrap();
    Door {
        folder,
        venue,
        node,
        tickets,
    }
}

impl Door {
    pub(crate) async fn scanner(&self, seed: u8) -> Scanner {
        Scanner::pair(&self.node.pairing_code(None).to_string(), seed)
            .await
            .unwrap()
    }
}

pub(crate) fn refused(status: u16, code: &str) -> Refusal {
    Refusal {
        status,
        code: code.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_is_decided_once_and_answered_again() {
    let door = door(&[]).await;
    let scanner = door.scanner(1).await;
    assert_eq!(scanner.gates.len(), 2);
    let (north, scan, token) = (door.venue.north, scan_id(), &door.tickets[0].token);
    let first = scanner.scan(north, scan, token).await.unwrap();
    assert_eq!(
        (&first.verdict, first.mode),
        (&Verdict::Admit, Mode::Degraded)
    );
    let again = scanner.scan(north, scan, token).await.unwrap();
    assert!(again.repeated && again.verdict == Verdict::Admit);

    // The id is bound to scanner, gate and token.
    let conflict = Err(refused(409, "scan_id_conflict"));
    assert_eq!(scanner.scan(door.venue.south, scan, token).await, conflict);
    assert_eq!(
        scanner.scan(north, scan, &door.tickets[1].token).await,
        conflict
    );
    assert_eq!(
        door.scanner(2).await.scan(north, scan, token).await,
        conflict
    );

    let status = scanner.status().await.unwrap();
    let gate = status
        .gates
        .iter()
        .find(|gate| gate.gate_id == north)
        .unwrap();
    assert_eq!((gate.name.as_str(), gate.admitted), ("North", 1));
    assert_eq!(status.replica.tickets, 3_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_scanned_has_a_verdict() {
    let door = door(&[]).await;
    let scanner = door.scanner(1).await;
    let verdict = async |token: String| {
        scanner
            .scan(door.venue.north, scan_id(), &token)
            .await
            .unwrap()
            .verdict
    };
    assert_eq!(verdict(String::new()).await, Verdict::Unreadable);
    assert_eq!(verdict("EV1:".to_owned()).await, Verdict::Unreadable);
    assert_eq!(
        verdict("https://example.org/\u{1F3AB}".to_owned()).await,
        Verdict::Unreadable
    );
    assert_eq!(verdict("X".repeat(2_000)).await, Verdict::Unreadable);
    let other = Venue::with_seed(100);
    assert_eq!(
        verdict(other.ticket(1).token).await,
        Verdict::UnknownOffline
    );
    assert_eq!(
        verdict(door.venue.ticket(77_777).token).await,
        Verdict::UnknownOffline
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_paired_scanner_that_signs_is_answered() {
    let door = door(&[]).await;
    let scanner = door.scanner(1).await;
    let body = json!({
        "scanId": scan_id(), "gateId": door.venue.north, "token": door.tickets[0].token,
    })
    .to_string()
    .into_bytes();
    let ask = async |headers: &Headers, authorization: &str| {
        let sent = scanner.send_with("POST", "/v1/scans", authorization, body.clone(), headers);
        read::<serde_json::Value>(sent.await.unwrap())
            .await
            .unwrap_err()
    };
    let bearer = scanner.bearer();
    let good = scanner.sign("POST", "/v1/scans", &bearer, &body);

    let other_body = scanner.sign("POST", "/v1/scans", &bearer, b"{}");
    assert_eq!(
        ask(&other_body, &bearer).await,
        refused(401, "signature_invalid")
    );
    let other_path = scanner.sign("POST", "/v1/tokens", &bearer, &body);
    assert_eq!(
        ask(&other_path, &bearer).await,
        refused(401, "signature_invalid")
    );
    assert_eq!(
        ask(&good, "Bearer other").await,
        refused(401, "signature_invalid")
    );
    let guessed = scanner.sign("POST", "/v1/scans", "Bearer guessed", &body);
    assert_eq!(
        ask(&guessed, "Bearer guessed").await,
        refused(401, "token_expired")
    );
    let without = scanner.sign("POST", "/v1/scans", "", &body);
    assert_eq!(ask(&without, "").await, refused(401, "token_expired"));
    let narrowed = Headers {
        signature_input: "sig=(\"@method\")".to_owned(),
        ..good.clone()
    };
    assert_eq!(
        ask(&narrowed, &bearer).await,
        refused(401, "signature_invalid")
    );

    let stranger = Scanner {
        id: eventify_edge::clock::new_id(),
        ..scanner.clone()
    };
    let unknown = stranger.sign("POST", "/v1/scans", &bearer, &body);
    assert_eq!(
        ask(&unknown, &bearer).await,
        refused(401, "scanner_unknown")
    );
    // Another scanner's token is worth nothing under this one's signature.
    let thief = door.scanner(2).await.bearer();
    let stolen = scanner.sign("POST", "/v1/scans", &thief, &body);
    assert_eq!(ask(&stolen, &thief).await, refused(401, "token_expired"));

    let unsigned = scanner
        .http
        .get(format!("{}/v1/status", scanner.url))
        .send()
        .await
        .unwrap();
    assert_eq!(
        read::<serde_json::Value>(unsigned).await,
        Err(refused(401, "not_signed"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_request_for_a_token_earns_nothing() {
    let door = door(&[]).await;
    let scanner = door.scanner(1).await;
    let body = scanner.token_request().await;
    let recorded = scanner.sign("POST", "/v1/tokens", "", &body);
    let send = async || {
        let sent = scanner.send_with("POST", "/v1/tokens", "", body.clone(), &recorded);
        read::<AccessToken>(sent.await.unwrap()).await
    };
    assert!(send().await.is_ok());
    for _ in 0..5 {
        assert_eq!(send().await.unwrap_err(), refused(401, "nonce_refused"));
    }
    // Nor does it push out a token that the scanner has.
    scanner.status().await.unwrap();
    let bare = scanner
        .send("POST", "/v1/tokens", "", vec![])
        .await
        .unwrap();
    let bare = read::<AccessToken>(bare).await.unwrap_err();
    assert_eq!(bare, refused(400, "malformed_json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_ordinary_answers() {
    let door = door(&[]).await;
    let scanner = door.scanner(1).await;
    let post = async |path: &str, body: &[u8]| {
        let sent = scanner
            .send("POST", path, &scanner.bearer(), body.to_vec())
            .await
            .unwrap();
        read::<serde_json::Value>(sent).await.unwrap_err()
    };
    for body in ["", "{", "[]", r#"{"scanId":"x"}"#, "\u{0}"] {
        assert_eq!(
            post("/v1/scans", body.as_bytes()).await,
            refused(400, "malformed_json")
        );
    }
    let extra = json!({
        "scanId": scan_id(), "gateId": door.venue.north, "token": "", "override": true,
    });
    let extra = extra.to_string();
    assert_eq!(
        post("/v1/scans", extra.as_bytes()).await,
        refused(400, "malformed_json")
    );
    assert_eq!(
        post("/v1/scans", &[b' '; 5_000]).await,
        refused(413, "body_too_large")
    );
    assert_eq!(
        post("/v1/pairings", &[b' '; 5_000]).await,
        refused(413, "body_too_large")
    );
    assert_eq!(post("/v1/nothing", b"").await, refused(404, "not_found"));
    assert_eq!(
        post("/v1/status", b"").await,
        refused(405, "method_not_allowed")
    );
    let elsewhere = scanner
        .scan(eventify_edge::clock::new_id(), scan_id(), "")
        .await;
    assert_eq!(elsewhere, Err(refused(403, "gate_not_allowed")));
    let alive = scanner
        .scan(door.venue.north, scan_id(), &door.tickets[0].token)
        .await
        .unwrap();
    assert_eq!(alive.verdict, Verdict::Admit);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_carries_the_requests_correlation_id() {
    let door = door(&[]).await;
    let scanner = door.scanner(1).await;
    let id = "0192f0c0-0000-7000-8000-0000000000aa";
    let request = scanner.http.get(format!("{}/v1/nothing", scanner.url));
    let response = request.header("x-correlation-id", id).send().await.unwrap();
    assert_eq!(response.headers()["x-correlation-id"], id);
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body["error"]["correlationId"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_pairs_one_scanner_and_only_a_real_key() {
    let door = door(&[]).await;
    let code = door.node.pairing_code(Some(vec![door.venue.south]));
    let text = code.to_string();
    let pair = async |code: &PairingCode, key: &str, label: &str| {
        let request = json!({ "code": code.secret, "publicKey": key, "label": label });
        let url = format!("{}/v1/pairings", code.node);
        let sent = pinned_client(code.key)
            .post(url)
            .json(&request)
            .send()
            .await
            .unwrap();
        read::<serde_json::Value>(sent).await.unwrap_err()
    };
    let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
    assert_eq!(
        pair(&code, &zeros, "Door").await,
        refused(422, "validation_error")
    );
    assert_eq!(
        pair(&code, "short", "Door").await,
        refused(422, "validation_error")
    );
    let scanner = Scanner::pair(&text, 1).await.unwrap();
    assert_eq!(scanner.gates, [door.venue.south]);
    let used = Scanner::pair(&text, 2).await.map(|_| ()).unwrap_err();
    assert_eq!(used, refused(403, "pairing_code_unknown"));
    let elsewhere = scanner
        .scan(door.venue.north, scan_id(), &door.tickets[0].token)
        .await;
    assert_eq!(elsewhere, Err(refused(403, "gate_not_allowed")));
    let here = scanner
        .scan(door.venue.south, scan_id(), &door.tickets[0].token)
        .await
        .unwrap();
    assert_eq!(here.verdict, Verdict::Admit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_key_is_not_talked_to() {
    let door = door(&[]).await;
    let code = door.node.pairing_code(None);
    let sent = pinned_client(Hash32([1; 32]))
        .get(format!("{}/v1/status", code.node))
        .send()
        .await;
    assert!(sent.unwrap_err().is_connect());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_tells_the_countdown_and_the_counts() {
    let door = door(&[]).await;
    let scanner = door.scanner(1).await;
    let mut stream = scanner.stream().await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    scanner
        .scan(door.venue.north, scan_id(), &door.tickets[0].token)
        .await
        .unwrap();
    let mut text = String::new();
    let (mut counted, mut remaining) = (false, Vec::new());
    while !counted || remaining.len() < 2 {
        text.push_str(&String::from_utf8_lossy(
            &stream.chunk().await.unwrap().unwrap(),
        ));
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) else {
                continue;
            };
            match serde_json::from_str(data).unwrap() {
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
    }
    assert!(
        remaining[1] < remaining[0] && remaining[0] < 300_000,
        "{remaining:?}"
    );
    // A listener doesn't hold up the end.
    door.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_ticket_scanned_everywhere_at_once_is_admitted_once() {
    let door = door(&[("lan.max_strangers_per_address", "64")]).await;
    let scanner = door.scanner(1).await;
    let gates = [door.venue.north, door.venue.south];
    let scans = (0..40).map(|i| {
        let (scanner, token) = (scanner.clone(), door.tickets[0].token.clone());
        let gate = gates[i % 2];
        async move { scanner.scan(gate, scan_id(), &token).await.unwrap().verdict }
    });
    let verdicts = futures_util::future::join_all(scans).await;
    let admitted = verdicts
        .iter()
        .filter(|verdict| **verdict == Verdict::Admit)
        .count();
    assert_eq!(admitted, 1);
    assert!(
        verdicts
            .iter()
            .all(|v| matches!(v, Verdict::Admit | Verdict::AlreadyUsed { .. }))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_without_room_answers_node_fault_and_admits_nobody() {
    // The smallest journal there may be, with half of it in reserve.
    let small = [
        ("journal.max_bytes", "1048576"),
        ("journal.reserve_bytes", "524288"),
    ];
    let door = door(&small).await;
    let scanner = door.scanner(1).await;
    let mut admitted = Vec::new();
    let fault = loop {
        let (ticket, scan) = (&door.tickets[admitted.len()], scan_id());
        let answer = scanner
            .scan(door.venue.north, scan, &ticket.token)
            .await
            .unwrap();
        if answer.verdict != Verdict::Admit {
            break answer.verdict;
        }
        admitted.push(scan);
    };
    assert_eq!(fault, Verdict::NodeFault);
    assert!(admitted.len() > 100, "{}", admitted.len());
    let repeat = scanner
        .scan(door.venue.north, scan_id(), &door.tickets[0].token)
        .await
        .unwrap();
    assert_eq!(repeat.verdict, Verdict::NodeFault);
    door.node.stop().await.unwrap();

    // With more room, everything is still known.
    let clock = Clock::of_this_boot().unwrap();
    let node = Node::start(&config(door.folder.path(), &[]), clock)
        .await
        .unwrap();
    let mut scanner = Scanner {
        url: format!("https://{}", node.address()),
        ..scanner
    };
    scanner.refresh().await.unwrap();
    let repeat = scanner
        .scan(door.venue.north, admitted[0], &door.tickets[0].token)
        .await
        .unwrap();
    assert!(repeat.repeated && repeat.verdict == Verdict::Admit);
}
