//! First sign-ins of staff at a scanner, with the identity provider (RFC 8628).

use std::time::Duration;

use eventify_kernel::auth::DeviceToken;
use eventify_protocol::ids::{PersonId, ScannerId, SignInId};
use eventify_protocol::sync::{DeviceCode, Down, SignInProgress, StaffAsk, Up};

use super::staff::add;
use crate::fleet::world::{Node, Venue};
use crate::world::DeviceAnswer;

async fn progress(node: &mut Node, sign_in: SignInId) -> SignInProgress {
    node.receive("how a sign-in stands", |message| match message {
        Down::Staff(answer) => (answer.sign_in == sign_in).then_some(answer.progress),
        _ => None,
    })
    .await
}

fn new_id(venue: &Venue) -> SignInId {
    SignInId(venue.new_id())
}

async fn begin(venue: &Venue, node: &mut Node) -> (SignInId, SignInProgress) {
    let sign_in = new_id(venue);
    let scanner = ScannerId(venue.new_id());
    node.send(Up::Staff(StaffAsk::Begin { sign_in, scanner }))
        .await;
    let begun = progress(node, sign_in).await;
    (sign_in, begun)
}

async fn begun(venue: &Venue, node: &mut Node) -> (SignInId, DeviceCode) {
    match begin(venue, node).await {
        (sign_in, SignInProgress::Open(code)) => (sign_in, code),
        (_, other) => panic!("{other:?}"),
    }
}

async fn state(node: &mut Node, sign_in: SignInId) -> SignInProgress {
    node.send(Up::Staff(StaffAsk::State { sign_in })).await;
    progress(node, sign_in).await
}

/// What the node is told when it is not the same any more.
async fn ended(node: &mut Node, sign_in: SignInId) -> SignInProgress {
    loop {
        match progress(node, sign_in).await {
            SignInProgress::Open(_) => {}
            ended => return ended,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_of_the_venue_signs_in_and_their_token_stays_here() {
    let venue = Venue::open().await;
    let sam = venue.core.user("sam");
    let member = add(&venue, &sam, "Sam", &["STEWARD"]).await;
    let person: PersonId = serde_json::from_value(member["personId"].clone()).unwrap();
    let mut node = venue.node("North door").await;
    let (sign_in, code) = begun(&venue, &mut node).await;
    assert!(
        code.verification_uri_complete.ends_with(&code.user_code),
        "{code:?}"
    );
    assert!((1..=600).contains(&code.expires_in_seconds), "{code:?}");
    assert!(matches!(
        state(&mut node, sign_in).await,
        SignInProgress::Open(_)
    ));
    let token = sam.token().expect("a user");
    venue
        .core
        .device_sign_ins()
        .end(&code.user_code, DeviceAnswer::Granted(token));
    // By itself, and again to who asks.
    assert_eq!(
        ended(&mut node, sign_in).await,
        SignInProgress::Granted(person)
    );
    assert_eq!(
        state(&mut node, sign_in).await,
        SignInProgress::Granted(person)
    );
    // Another node learns nothing of it.
    let mut other = venue.node("South door").await;
    assert_eq!(state(&mut other, sign_in).await, SignInProgress::Expired);
    let stored: String = venue
        .value(
            "select coalesce(string_agg(to_jsonb(s)::text, ''), '') from fleet.sign_ins s
             join fleet.nodes using (node_id) where venue_id = $1",
        )
        .await;
    assert!(
        stored.contains("granted") && !stored.contains("only-the-core-knows"),
        "{stored}"
    );
    venue.core.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_ends_as_the_provider_says() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let stranger = venue.core.user("eve").role("SUPERVISOR").token();
    let stranger = stranger.expect("a user");
    let left = venue.core.user("lee");
    let member = add(&venue, &left, "Lee", &["STEWARD"]).await;
    let one = format!(
        "/fleet/venues/{}/staff/{}",
        venue.id,
        member["personId"].as_str().unwrap()
    );
    assert_eq!(venue.owner().delete(&one).await.status, 204);
    for (answer, expected) in [
        (DeviceAnswer::Denied, SignInProgress::Denied),
        (DeviceAnswer::Expired, SignInProgress::Expired),
        (DeviceAnswer::Broken, SignInProgress::Unavailable),
        (DeviceAnswer::Granted(stranger), SignInProgress::NotStaff),
        (
            DeviceAnswer::Granted(left.token().expect("a user")),
            SignInProgress::NotStaff,
        ),
        (
            DeviceAnswer::Granted("no token".to_owned()),
            SignInProgress::Unavailable,
        ),
    ] {
        let (sign_in, code) = begun(&venue, &mut node).await;
        venue
            .core
            .device_sign_ins()
            .end(&code.user_code, answer.clone());
        assert_eq!(ended(&mut node, sign_in).await, expected, "{answer:?}");
    }
    venue.core.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_the_core_follows_no_longer_is_over() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    assert_eq!(
        state(&mut node, new_id(&venue)).await,
        SignInProgress::Expired
    );
    let (sign_in, _) = begun(&venue, &mut node).await;
    // As after a restart: nobody asks the provider any more.
    venue.core.advance(chrono::Duration::seconds(600));
    assert_eq!(state(&mut node, sign_in).await, SignInProgress::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_begins_sign_ins_without_end_is_stopped() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    for _ in 0..16 {
        begun(&venue, &mut node).await;
    }
    for _ in 0..20 {
        let (_, refused) = begin(&venue, &mut node).await;
        assert_eq!(refused, SignInProgress::TooMany);
    }
    let mut other = venue.node("South door").await;
    begun(&venue, &mut other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_beginning_twice_is_one_sign_in() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let (sign_in, first) = begun(&venue, &mut node).await;
    let scanner = ScannerId(venue.new_id());
    node.send(Up::Staff(StaffAsk::Begin { sign_in, scanner }))
        .await;
    let SignInProgress::Open(second) = progress(&mut node, sign_in).await else {
        panic!("it is open")
    };
    assert_eq!(second.user_code, first.user_code);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_without_the_device_flow_is_said_to_be_none() {
    let venue = Venue::open().await;
    venue.core.device_sign_ins().switch_off();
    let mut node = venue.node("North door").await;
    let (_, refused) = begin(&venue, &mut node).await;
    assert_eq!(refused, SignInProgress::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_wants_more_time_gets_it() {
    let venue = Venue::open().await;
    let flow = venue.core.app().auth.device_flow().expect("a client");
    let mut sign_in = flow.begin().await.unwrap();
    let ends = venue.core.device_sign_ins();
    assert_eq!(sign_in.interval(), Duration::from_secs(1));
    for seconds in [6, 11] {
        ends.end(&sign_in.user_code, DeviceAnswer::SlowDown);
        let token = flow.ask(&mut sign_in).await.unwrap();
        assert!(matches!(token, DeviceToken::Pending));
        assert_eq!(sign_in.interval(), Duration::from_secs(seconds));
    }
    let printed = format!(
        "{sign_in:?} {:?}",
        DeviceToken::Granted("secret".to_owned())
    );
    assert!(
        !printed.contains("only-the-core-knows") && !printed.contains("secret"),
        "{printed}"
    );
}
