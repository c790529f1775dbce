//! Bad input at a node's LAN API.

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use eventify_lan_client::{Method, Request};
use eventify_protocol::{ids::ScanId, lan::PairingRequest};
use serde_json::json;

use super::{NAME, Refusals};
use crate::{clock, scanner::Scanner, scenes::Demo, story::Story};

const SCANS: &str = "/v1/scans";
/// A key that no node knows.
const STRANGER: [u8; 32] = [99; 32];
/// More than the largest body that a node accepts.
const TOO_LARGE_BYTES: usize = 5 * 1024;

pub(super) async fn refuses(
    story: &mut Story,
    demo: &mut Demo,
    refusals: &mut Refusals,
) -> Result<()> {
    story.part("at a node's API");
    for gate in &mut demo.gates {
        gate.scanner.refresh().await?;
    }
    bodies(story, &demo.gates[0].scanner, refusals).await?;
    callers(story, demo, refusals).await?;
    ids(story, demo, refusals).await
}

fn scan(token: &str, gate: &str) -> Vec<u8> {
    let body = json!({ "scanId": clock::new_id(), "gateId": gate, "token": token });
    body.to_string().into_bytes()
}

async fn bodies(story: &mut Story, scanner: &Scanner, refusals: &mut Refusals) -> Result<()> {
    let gate = scanner.gate.to_string();
    let unknown = json!({ "scanId": clock::new_id(), "gateId": gate, "token": "", "holder": NAME });
    let kind = json!({ "scanId": NAME, "gateId": gate, "token": "" });
    let malformed = "400 malformed_json";
    for (what, body, expected) in [
        ("incomplete JSON", b"{\"scanId\":".to_vec(), malformed),
        ("bytes that are not text", vec![0xff; 64], malformed),
        (
            "an unknown field",
            unknown.to_string().into_bytes(),
            malformed,
        ),
        (
            "a scan id that is not an id",
            kind.to_string().into_bytes(),
            malformed,
        ),
        (
            "a body that is too large",
            vec![b' '; TOO_LARGE_BYTES],
            "413 body_too_large",
        ),
    ] {
        let request = scanner.request(Method::POST, SCANS, &body);
        refusals.by_edge(story, what, expected, &scanner.send(&request).await?);
    }
    let random: [u8; 200] = rand::random();
    for (what, token) in [
        ("a token of random bytes", hex::encode(random)),
        (
            "random bytes in the tickets' alphabet",
            format!("EV1:{}", hex::encode_upper(random)),
        ),
        (
            "a token of 2,000 characters",
            "EV1:".to_owned() + &"A".repeat(1_996),
        ),
        ("an empty token", String::new()),
        ("a person's name", NAME.to_owned()),
    ] {
        let answer = scanner.scan(&token).await?;
        story.expect(what, "Unreadable", answer.verdict.name());
    }
    for (what, method, path, expected) in [
        (
            "a method that the path does not have",
            Method::PUT,
            SCANS,
            "405 method_not_allowed",
        ),
        (
            "an unknown path",
            Method::GET,
            "/v1/../identity.json",
            "404 not_found",
        ),
    ] {
        let request = scanner.request(method, path, b"");
        refusals.by_edge(story, what, expected, &scanner.send(&request).await?);
    }
    Ok(())
}

/// Callers without the right to call.
async fn callers(story: &mut Story, demo: &mut Demo, refusals: &mut Refusals) -> Result<()> {
    let ticket = demo.next_ticket()?;
    let [north, south] = &demo.gates;
    let scanner = &north.scanner;
    let body = scan(&ticket.token, &scanner.gate.to_string());
    let good = scanner.request(Method::POST, SCANS, &body);
    let stranger = SigningKey::from_bytes(&STRANGER);
    let other = Request {
        body: scan(&ticket.token, &scanner.gate.to_string()),
        ..good.clone()
    };
    for (what, request, expected) in [
        (
            "a scan without a signature",
            Request::unsigned(Method::POST, SCANS, body.clone()),
            "401 not_signed",
        ),
        (
            "a signature of another scan",
            other,
            "401 signature_invalid",
        ),
        (
            "a caller with another key",
            scanner.request_with_key(STRANGER, SCANS, &body),
            "401 signature_invalid",
        ),
        (
            "a scanner of the other node",
            south.scanner.request(Method::POST, SCANS, &body),
            "401 scanner_unknown",
        ),
        (
            "an invalid access token",
            scanner.request_with_access("nonsense", SCANS, &body),
            "401 token_expired",
        ),
        (
            "a scan for the other node's gate",
            scanner.request(Method::POST, SCANS, &scan(&ticket.token, &south.id)),
            "403 gate_not_allowed",
        ),
        (
            "an unknown pairing code",
            Request::pairing(pairing()?, &stranger),
            "403 pairing_code_unknown",
        ),
        (
            "a pairing that its key has not signed",
            Request::unsigned(Method::POST, "/v1/pairings", pairing()?),
            "401 not_signed",
        ),
    ] {
        refusals.by_edge(story, what, expected, &scanner.send(&request).await?);
    }
    demo.unused.push(ticket);
    Ok(())
}

fn pairing() -> Result<Vec<u8>> {
    let request = PairingRequest {
        code: "nonsense".to_owned(),
        public_key: URL_SAFE_NO_PAD.encode(SigningKey::from_bytes(&STRANGER).verifying_key()),
        label: NAME.to_owned(),
    };
    Ok(serde_json::to_vec(&request)?)
}

/// Scan ids that were used before.
async fn ids(story: &mut Story, demo: &mut Demo, refusals: &mut Refusals) -> Result<()> {
    let (first, second) = (demo.next_ticket()?, demo.next_ticket()?);
    let scanner = &demo.gates[0].scanner;
    let scan = ScanId(clock::new_id());
    let admitted = scanner.scan_as(scan, &first.token).await?;
    story.expect(
        "a good scan among the bad input",
        "Admit",
        admitted.verdict.name(),
    );
    // The same bytes as before: Ed25519 signatures are deterministic.
    let replayed = scanner.scan_as(scan, &first.token).await?;
    let observed = format!(
        "{}, repeated: {}",
        replayed.verdict.name(),
        replayed.repeated
    );
    story.expect(
        "the same request, recorded and sent again",
        "Admit, repeated: true",
        observed,
    );
    let body = json!({ "scanId": scan, "gateId": scanner.gate, "token": second.token });
    let request = scanner.request(Method::POST, SCANS, body.to_string().as_bytes());
    let reply = scanner.send(&request).await?;
    refusals.by_edge(
        story,
        "the same scan id with another ticket",
        "409 scan_id_conflict",
        &reply,
    );
    demo.unused.push(second);
    Ok(())
}
