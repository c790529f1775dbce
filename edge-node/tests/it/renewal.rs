//! The node's certificate, renewed by its key.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering},
};

use eventify_edge::identity::Identity;
use eventify_protocol::verdict::Mode;
use rcgen::{CertificateSigningRequestParams, KeyPair, PublicKeyData as _};
use serde_json::{Value, json};

use crate::world::{Core, FleetListener, Venue, World};

const DAY: i64 = 24 * 3_600;

/// The core's fleet listener, which renews once after it has refused so often.
async fn renewing(core: &Arc<Core>, refusals: u32) -> (FleetListener, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let (count, renewing) = (Arc::clone(&asked), Arc::clone(core));
    let (issuer, authority) = core.devices();
    let in_force = OnceLock::new();
    let listener = FleetListener::start(&issuer, &authority, "localhost", move |path, request| {
        assert_eq!(path, "/fleet/renewals");
        if count.fetch_add(1, Ordering::Relaxed) < refusals {
            let message = "somebody who runs the venue must allow its renewal";
            return (
                403,
                json!({ "error": {
                "code": "renewal_not_allowed", "message": message, "details": [], "correlationId": "c",
            } }),
            );
        }
        let answer = in_force.get_or_init(|| renewed(&renewing, &request));
        (200, answer.clone())
    });
    (listener.await, asked)
}

fn renewed(core: &Core, request: &Value) -> Value {
    let csr = request["csr"].as_str().unwrap();
    let key = CertificateSigningRequestParams::from_pem(csr)
        .unwrap()
        .public_key;
    json!({
        "certificateChain": core.certify(&key, (-3_600, 90 * DAY)),
        "broker": core.identity().broker,
    })
}

/// A stopped node whose certificate is valid for these seconds from and to now, and its core.
async fn node_certified(validity: (i64, i64), refusals: u32) -> (World, Arc<Core>, Listening) {
    let (world, core) = World::enrolled(|core, identity| {
        let key = KeyPair::from_pem(&identity.private_key).unwrap();
        Identity {
            certificate_chain: core.certify(&key, validity),
            ..identity
        }
    })
    .await;
    let core = Arc::new(core);
    let (listener, asked) = renewing(&core, refusals).await;
    let folder = world.folder.path();
    let identity = Identity {
        core: listener.url(),
        ..Identity::load(folder).unwrap()
    };
    identity.save(folder).unwrap();
    let listening = Listening {
        before: identity,
        asked,
        _listener: listener,
    };
    (world, core, listening)
}

struct Listening {
    before: Identity,
    asked: Arc<AtomicU32>,
    _listener: FleetListener,
}

/// Part D 3: node certificates end after 90 days, and nothing renewed them.
#[tokio::test]
async fn a_node_renews_its_certificate_when_two_thirds_of_its_life_are_over() {
    let (mut world, _core, listening) = node_certified((-61 * DAY, 29 * DAY), 0).await;
    // The broker has moved meanwhile: only the answer to the renewal says where to.
    let moved = Identity {
        broker: Venue::nowhere(),
        ..listening.before.clone()
    };
    moved.save(world.folder.path()).unwrap();
    world.start(&[]).await;
    world.until_ready().await;
    let after = Identity::load(world.folder.path()).unwrap();
    assert_ne!(after.certificate_chain, listening.before.certificate_chain);
    let key = |identity: &Identity| {
        KeyPair::from_pem(&identity.private_key)
            .unwrap()
            .subject_public_key_info()
    };
    assert_eq!(key(&after), key(&listening.before), "the same key");
    assert_eq!(
        after.lan_key, listening.before.lan_key,
        "scanners stay paired"
    );
    assert_eq!(after.node_id, listening.before.node_id);
    world.stop().await;

    // Its new certificate is young: nothing is asked for.
    world.start(&[]).await;
    world.until_ready().await;
    world.stop().await;
    assert_eq!(listening.asked.load(Ordering::Relaxed), 1);
}

/// C04: the gate that worked in spring.
#[tokio::test]
async fn an_expired_node_asks_until_the_core_allows_it_and_is_online_again() {
    let (mut world, _core, listening) = node_certified((-200 * DAY, -110 * DAY), 1).await;
    world.start(&[]).await;
    world.until_mode(Mode::Online).await;
    let after = Identity::load(world.folder.path()).unwrap();
    assert_eq!(after.node_id, listening.before.node_id);
    assert!(listening.asked.load(Ordering::Relaxed) > 1);
    world.stop().await;
}
