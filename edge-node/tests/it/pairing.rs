//! How a scanner comes to a node: by a code and its own key.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use eventify_lan_client::{Method, Request, SigningKey};
use eventify_protocol::{lan::PairingRequest, verdict::Verdict};

use crate::{
    lan::refused,
    world::{Scanner, TIMEOUTS, World, refusal, scan_id},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_code_pairs_one_scanner_and_only_a_real_key() {
    let world = World::alone(&[]).await;
    let (north, south) = (world.venue.north, world.venue.south);
    let code = world.node().pairing_code(Some(vec![south]));
    let anybody = world.scanner(9).await;
    for key in [URL_SAFE_NO_PAD.encode([0; 32]).as_str(), "short"] {
        let request = PairingRequest {
            code: code.secret.clone(),
            public_key: key.to_owned(),
            label: "Door".to_owned(),
        };
        let own = SigningKey::from_bytes(&[1; 32]);
        let answer = anybody.lan.node().pair(&request, &own).await;
        assert_eq!(refusal(answer), "422 validation_error");
    }
    let scanner = Scanner::pair(&code, 1).await.unwrap();
    assert_eq!(scanner.lan.pairing().gates, [south]);
    let second = Scanner::pair(&code, 2).await.map(|_| ());
    assert_eq!(refusal(second), "403 pairing_code_unknown");
    let token = &world.tickets[0].token;
    let elsewhere = scanner.scan_as(north, scan_id(), token).await;
    assert_eq!(refusal(elsewhere), "403 gate_not_allowed");
    assert_eq!(scanner.scan(south, token).await.verdict, Verdict::Admit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pairing_that_its_key_has_not_signed_uses_no_code_up() {
    let world = World::alone(&[]).await;
    let code = world.node().pairing_code(None);
    let anybody = world.scanner(9).await;
    let [own, other] = [1, 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    let request = PairingRequest {
        code: code.secret.clone(),
        public_key: URL_SAFE_NO_PAD.encode(own.verifying_key().as_bytes()),
        label: "Door".to_owned(),
    };
    let body = serde_json::to_vec(&request).unwrap();
    let unsigned = Request::unsigned(Method::POST, "/v1/pairings", body.clone());
    assert_eq!(refused(&anybody, &unsigned).await, "401 not_signed");
    let by_another = Request::pairing(body.clone(), &other);
    assert_eq!(
        refused(&anybody, &by_another).await,
        "401 signature_invalid"
    );
    // Another code or key under a signature that was recorded.
    let mut replayed = Request::pairing(body, &own);
    let replaced = PairingRequest {
        label: "Other".to_owned(),
        ..request
    };
    replayed.body = serde_json::to_vec(&replaced).unwrap();
    assert_eq!(refused(&anybody, &replayed).await, "401 signature_invalid");
    Scanner::pair(&code, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_goes_on_with_its_stored_pairing_after_a_restart() {
    let world = World::alone(&[]).await;
    let stored = serde_json::to_string(world.scanner(1).await.lan.pairing()).unwrap();
    let pairing = serde_json::from_str(&stored).unwrap();
    let lan = eventify_lan_client::Scanner::resume(pairing, TIMEOUTS).unwrap();
    let mut scanner = Scanner { lan };
    let without_access = scanner.lan.status().await;
    assert_eq!(refusal(without_access), "401 token_expired");
    scanner.renew_access().await;
    let answer = scanner
        .scan(world.venue.north, &world.tickets[0].token)
        .await;
    assert_eq!(answer.verdict, Verdict::Admit);
}
