//! The published key set.

use eventify_contracts::ticketing::KeysChanged;
use eventify_kernel::keys;
use eventify_protocol::keys::SignedKeySet;
use eventify_protocol::token::Parsed;
use eventify_protocol::verdict::Verdict;
use reqwest::Method;
use reqwest::header::ACCEPT;
use tempfile::TempDir;

use crate::ticketing::world::Venue;
use crate::ticketing::world::connection::NodeConnection;
use crate::world::{product, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_verifies_with_the_published_keys_alone() {
    use coset::{CborSerializable as _, CoseKeySet, CoseSign1, TaggedCborSerializable as _};
    use ed25519_dalek::{Signature, VerifyingKey};

    let venue = Venue::open().await;
    let (_, token) = venue.ticket().await;
    let request = venue
        .core
        .anybody()
        .request(Method::GET, "/.well-known/eventify/keys");
    let response = request
        .header(ACCEPT, "application/cose-key-set")
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "application/cose-key-set"
    );
    let keys = CoseKeySet::from_slice(&response.bytes().await.unwrap()).unwrap();
    let jwks = venue.core.anybody().get("/.well-known/eventify/keys").await;
    assert_eq!(jwks.header("content-type"), "application/jwk-set+json");
    assert_eq!(jwks.body["keys"].as_array().unwrap().len(), keys.0.len());

    let cose = base45::decode(token.strip_prefix("EV1:").unwrap()).unwrap();
    let signed = CoseSign1::from_tagged_slice(&cose).unwrap();
    let key = keys
        .0
        .iter()
        .find(|key| key.key_id == signed.protected.header.key_id)
        .unwrap();
    let x = key
        .params
        .iter()
        .find_map(|(_, value)| value.as_bytes())
        .unwrap();
    let key = VerifyingKey::from_bytes(x.as_slice().try_into().unwrap()).unwrap();
    signed
        .verify_signature(&[], |signature, data| {
            key.verify_strict(data, &Signature::from_slice(signature).unwrap())
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_starting_process_are_published_to_the_venues() {
    let venue = Venue::open().await;
    until("the event", async || {
        !venue.published::<KeysChanged>().await.is_empty()
    })
    .await;
    let published = venue.published::<KeysChanged>().await.remove(0);
    assert_eq!(published.version, 1);
    let held = std::fs::read(venue.core.keys.path().join("key-set.cose")).unwrap();
    let signed = base64::Engine::decode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        published.signed,
    );
    assert_eq!(signed.unwrap(), held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_another_process_has_withdrawn_counts_no_more() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let kid = Parsed::read(&token).unwrap().kid().to_string();
    let old = TempDir::new().unwrap();
    for folder in ["", "tickets", "sync"] {
        let (from, to) = (venue.core.keys.path().join(folder), old.path().join(folder));
        std::fs::create_dir_all(&to).unwrap();
        for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            if file.file_type().unwrap().is_file() {
                std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
    }
    let set = keys::withdraw(venue.core.keys.path(), &kid).unwrap();
    let signed = std::fs::read(venue.core.keys.path().join("key-set.cose")).unwrap();
    let app = venue.core.app();
    let mut conn = app.db.read("ticketing").await.unwrap();
    sqlx::query("insert into key_sets (version, signed, published_at) values ($1, $2, now())")
        .bind(i64::try_from(set.version()).unwrap())
        .bind(SignedKeySet::from_bytes(signed).as_bytes())
        .execute(&mut *conn)
        .await
        .unwrap();
    let mut connection = NodeConnection::connect(&venue).await;
    let scan = venue.scan(0, &token);
    assert_eq!(connection.scan(&scan).await, Verdict::Forged);
    assert_eq!(venue.show(ticket).await.status, "valid");
    let jwks = venue
        .core
        .anybody()
        .get("/.well-known/eventify/keys")
        .await
        .expect(200);
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 0);
    // Nothing is signed with a withdrawn key: the order waits for another.
    let order = venue.pay(vec![venue.seat("A-2")]).await;
    venue.core.settle().await;
    assert!(venue.tickets(order.order_id).await.is_empty());

    // Nor does a process that starts with a copy of before the withdrawal bring it back.
    let directory = old.path().display().to_string();
    let settings = vec![("keys.directory", directory)];
    let beside = venue.core.beside(settings, product).await;
    let refused = async || -> Vec<String> {
        let mut conn = app.db.read("ticketing").await.unwrap();
        let alarms = sqlx::query_scalar(
            "select subject from standing_alarms where kind = 'ticketing.key_set_refused'",
        );
        alarms.fetch_all(&mut *conn).await.unwrap()
    };
    until("somebody is told", async || {
        refused().await == [kid.clone()]
    })
    .await;
    beside.stop().await;
}
