//! What every route has without doing anything for it: idempotency keys, validation errors, limits,
//! policies.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use crate::world::{TestApp, TestOptions, send};
use axum::extract::State;
use chrono::{DateTime, Duration, Utc};
use eventify_core::config::Config;
use eventify_core::contexts::identity;
use eventify_kernel::app::App;
use eventify_kernel::auth::Role;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Path, Policy, Routes, StatusCode};
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

const BUY: Policy = Policy::roles(&[Role::Customer])
    .scopes(&["order:write"])
    .key_required()
    .strict();

pub(super) fn contexts(_: &Config, _: &Clock) -> Vec<Context> {
    let routes = Routes::new()
        .post("/purchases", BUY, buy)
        .post("/purchases/{key}/slow", Policy::signed_in(), slow)
        .post("/faults", Policy::signed_in(), fault)
        .get("/large", Policy::public(), large)
        .get("/panics", Policy::public(), panics)
        .post("/panics", Policy::signed_in(), panics)
        .get(
            "/purchases/of/{owner}",
            Policy::signed_in().owner("purchase.customer_id"),
            of,
        );
    vec![
        identity::context(&Arc::default()),
        Context {
            routes,
            ..Context::new("order", &[])
        },
    ]
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Purchase {
    seat: String,
    quantity: u32,
}

/// Answers a new id each time it really runs.
async fn buy(
    State(app): State<App>,
    caller: Caller,
    Json(purchase): Json<Purchase>,
) -> Answer<(StatusCode, Json<serde_json::Value>)> {
    if purchase.quantity == 0 {
        return Err(ApiError::conflict("out_of_stock", "nothing left"));
    }
    let inner = caller.key.as_ref().map(|key| key.inner("payment"));
    let body = json!({"purchaseId": app.clock.new_id(), "inner": inner});
    Ok((StatusCode::CREATED, Json(body)))
}

async fn fault() -> Answer<()> {
    FAULTS.fetch_add(1, Ordering::SeqCst);
    Err(ApiError::internal("the test asked for it"))
}

/// More than what a system keeps for a client that does not read.
async fn large() -> axum::body::Bytes {
    static LARGE: LazyLock<axum::body::Bytes> = LazyLock::new(|| vec![b'x'; 24 << 20].into());
    LARGE.clone()
}

static FAULTS: AtomicUsize = AtomicUsize::new(0);

async fn panics() -> Answer<()> {
    panic!("a bug with personal data in its message");
}

async fn of(caller: Caller, Path(owner): Path<Uuid>) -> Answer<Json<Uuid>> {
    caller.must_own(owner)?;
    Ok(Json(owner))
}

type Gates = Mutex<std::collections::HashMap<String, (Arc<Notify>, Arc<Semaphore>)>>;
static GATES: LazyLock<Gates> = LazyLock::new(Gates::default);

/// Says that it runs, then waits until the test lets it go on.
async fn slow(Path(name): Path<String>) -> Answer<Json<&'static str>> {
    let (began, go_on) = gate(&name);
    began.notify_one();
    go_on.acquire().await.expect("the gate stays").forget();
    Ok(Json("done"))
}

fn gate(name: &str) -> (Arc<Notify>, Arc<Semaphore>) {
    let closed = || (Arc::default(), Arc::new(Semaphore::new(0)));
    let mut gates = GATES.lock().expect("nobody panicked");
    gates.entry(name.to_owned()).or_insert_with(closed).clone()
}

pub(super) async fn start(config: Vec<(&'static str, String)>) -> TestApp {
    TestApp::with(TestOptions {
        contexts: Some(contexts),
        config,
        ..TestOptions::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_again_gets_the_first_response() {
    let core = start(Vec::new()).await;
    let ada = core.user("ada").role("CUSTOMER").scope("order:write");
    let body = json!({"seat": "A-12", "quantity": 1});
    let first = ada.post_with_key("/purchases", "k1", body.clone()).await;
    let again = ada.post_with_key("/purchases", "k1", body.clone()).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("idempotency-replayed"), "true");

    let other = ada.post_with_key("/purchases", "k2", body.clone()).await;
    assert_ne!(other.body["purchaseId"], first.body["purchaseId"]);
    assert_ne!(other.body["inner"], first.body["inner"]);

    let changed = json!({"seat": "A-13", "quantity": 1});
    let reused = ada.post_with_key("/purchases", "k1", changed).await;
    reused.assert_refused(422, "idempotency_key_reused");

    let grace = core.user("grace").role("CUSTOMER").scope("order:write");
    let hers = grace.post_with_key("/purchases", "k1", body).await;
    assert_ne!(
        hers.body["purchaseId"], first.body["purchaseId"],
        "keys belong to their caller"
    );

    let refused = json!({"seat": "A-12", "quantity": 0});
    let first = ada.post_with_key("/purchases", "k3", refused.clone()).await;
    let again = ada.post_with_key("/purchases", "k3", refused).await;
    first.assert_refused(409, "out_of_stock");
    assert_eq!(first.body, again.body, "4xx are answers");
}

/// `?dryRun=true` at a route that has no rehearsal must not be the act itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_nobody_reads_is_refused_before_anything_happens() {
    let core = start(Vec::new()).await;
    let ada = core.user("ada").role("CUSTOMER").scope("order:write");
    let before = FAULTS.load(Ordering::SeqCst);
    for (path, name) in [
        ("/faults?dryRun=true", "dryRun"),
        ("/faults?dryRun", "dryRun"),
        ("/faults?a=1&b=2", "a"),
        ("/faults?=1", ""),
    ] {
        let refused = ada.post_with_key(path, "k1", json!({})).await;
        refused.assert_refused(400, "validation_error");
        let issue = format!("parameter '{name}' is unknown; this route takes none");
        assert!(
            refused.body.to_string().contains(&issue),
            "{}",
            refused.body
        );
    }
    assert_eq!(FAULTS.load(Ordering::SeqCst), before);
    ada.post_with_key("/faults?", "k2", json!({}))
        .await
        .assert_refused(500, "internal_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_not_remembered() {
    let core = start(Vec::new()).await;
    let ada = core.user("ada");
    let before = FAULTS.load(Ordering::SeqCst);
    for _ in 0..2 {
        let answer = ada.post_with_key("/faults", "k1", json!({})).await;
        answer.assert_refused(500, "internal_error");
    }
    assert_eq!(FAULTS.load(Ordering::SeqCst), before + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_request_answers_its_repeat_with_409_until_its_lease_ends() {
    let core = start(Vec::new()).await;
    let ada = core.user("ada");
    let name = core.clock.new_id().to_string();
    let path = format!("/purchases/{name}/slow");
    let (began, go_on) = gate(&name);
    let first = ada.post_with_key(&path, "k1", json!({}));
    let meanwhile = async {
        began.notified().await;
        let repeat = ada.post_with_key(&path, "k1", json!({})).await;
        repeat.assert_refused(409, "idempotency_in_progress");
        assert_eq!(repeat.header("retry-after"), "1");
        core.advance(Duration::seconds(61));
        let taken_over = ada.post_with_key(&path, "k1", json!({}));
        let let_go = async {
            began.notified().await;
            go_on.add_permits(2);
        };
        tokio::join!(taken_over, let_go).0.expect(200);
    };
    tokio::join!(first, meanwhile).0.expect(200);
}

/// Renewed in real time, so its lease is short here.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_runs_for_longer_than_its_lease_is_not_begun_again() {
    let core = start(vec![("http.idempotency.lease_ms", "3000".to_owned())]).await;
    let ada = core.user("ada");
    let name = core.clock.new_id().to_string();
    let path = format!("/purchases/{name}/slow");
    let (began, go_on) = gate(&name);
    let leased_until = async || -> DateTime<Utc> {
        let mut conn = core.app().db.read("order").await.unwrap();
        sqlx::query_scalar("select leased_until from idempotency_keys")
            .fetch_one(&mut *conn)
            .await
            .unwrap()
    };
    let first = ada.post_with_key(&path, "k1", json!({}));
    let meanwhile = async {
        began.notified().await;
        let lease = leased_until().await;
        core.advance(Duration::milliseconds(2_500));
        crate::world::until("the lease is renewed", async || {
            leased_until().await > lease + Duration::seconds(2)
        })
        .await;
        core.advance(Duration::milliseconds(1_500));
        assert!(core.clock.now() > lease, "its first lease is over");
        let repeat = ada.post_with_key(&path, "k1", json!({})).await;
        repeat.assert_refused(409, "idempotency_in_progress");
        go_on.add_permits(1);
    };
    tokio::join!(first, meanwhile).0.expect(200);
    let replay = ada.post_with_key(&path, "k1", json!({})).await;
    assert_eq!(replay.header("idempotency-replayed"), "true");
}

/// Its process stood still, as a machine that is moved does: another one has taken the key over.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_lost_its_key_keeps_nothing_under_it() {
    let core = start(Vec::new()).await;
    let ada = core.user("ada");
    let name = core.clock.new_id().to_string();
    let path = format!("/purchases/{name}/slow");
    let (began, go_on) = gate(&name);
    let post = || ada.post_with_key(&path, "k1", json!({}));
    let (first, second) = (post(), post());
    let first = async {
        let answer = first.await;
        post().await.assert_refused(409, "idempotency_in_progress");
        go_on.add_permits(1);
        answer
    };
    let second = async {
        began.notified().await;
        core.advance(Duration::seconds(61));
        let began_too = async {
            began.notified().await;
            // Those that wait are served in turn: the first request goes on.
            go_on.add_permits(1);
        };
        tokio::join!(second, began_too).0
    };
    let (first, second) = tokio::join!(first, second);
    first.expect(200);
    second.expect(200);
    let replay = post().await;
    assert_eq!(replay.header("idempotency-replayed"), "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_can_not_be_read_is_refused_and_not_left_out() {
    let core = start(Vec::new()).await;
    let ada = core.user("ada");
    let name = core.clock.new_id().to_string();
    let (_, go_on) = gate(&name);
    go_on.add_permits(9);
    for keys in [&["clé"][..], &["a", "b"], &["a", "a"], &[""]] {
        let path = format!("/purchases/{name}/slow");
        let request = ada.request(Method::POST, &path).json(&json!({}));
        let request = keys.iter().fold(request, |request, key| {
            request.header("Idempotency-Key", key.as_bytes())
        });
        let answer = send(request).await;
        answer.assert_refused(400, "validation_error");
        assert_eq!(
            answer.body["error"]["details"][0]["field"],
            "Idempotency-Key"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named() {
    let core = start(vec![("http.max_body_bytes", "2048".to_owned())]).await;
    let ada = core.user("ada").role("CUSTOMER").scope("order:write");
    for (body, status, code, field, issue) in [
        (
            r#"{"quantity": 1}"#,
            400,
            "validation_error",
            "seat",
            "required",
        ),
        (
            r#"{"seat": "A", "quantity": 1, "x": 2}"#,
            400,
            "validation_error",
            "x",
            "unknown",
        ),
        (
            r#"{"seat": "A", "quantity": "no"}"#,
            400,
            "validation_error",
            "quantity",
            "must be a whole number of at least 0; given: 'no'",
        ),
        (r#"{"seat": "#, 400, "validation_error", "body", "malformed"),
    ] {
        let request = ada
            .request(Method::POST, "/purchases")
            .header("Idempotency-Key", core.clock.new_id().to_string())
            .header("Content-Type", "application/json")
            .body(body);
        let answer = send(request).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{body}");
        let details = &answer.body["error"]["details"];
        assert_eq!(
            details,
            &json!([{"field": field, "issue": issue}]),
            "{body}"
        );
    }
    let request = || {
        ada.request(Method::POST, "/purchases")
            .header("Idempotency-Key", "media")
    };
    let answer = send(request().body("seat=A")).await;
    answer.assert_refused(415, "unsupported_media_type");
    let answer = ada
        .post(
            "/purchases",
            json!({"seat": "A".repeat(4096), "quantity": 1}),
        )
        .await;
    answer.assert_refused(413, "payload_too_large");
    let answer = send(ada.request(Method::POST, "/purchases").json(&json!({}))).await;
    answer.assert_refused(400, "idempotency_key_required");
    let answer = ada.get("/purchases/of/not-a-uuid").await;
    answer.assert_refused(400, "validation_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_an_internal_error_and_the_core_stays_up() {
    let core = start(Vec::new()).await;
    let answer = core.anybody().get("/panics").await;
    answer.assert_refused(500, "internal_error");
    assert!(!answer.body.to_string().contains("personal"));
    core.anybody().get("/health/live").await.expect(200);
    let ada = core.user("ada");
    for _ in 0..2 {
        let answer = ada.post_with_key("/panics", "k1", json!({})).await;
        assert_eq!(answer.status, 500, "a fault frees the key: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_scopes_and_owners_are_held() {
    let core = start(Vec::new()).await;
    let body = json!({"seat": "A-12", "quantity": 1});
    let ada = core.user("ada");
    for (caller, status) in [
        (core.anybody(), 401),
        (ada.clone(), 403),
        (ada.clone().role("CUSTOMER"), 403),
        (ada.clone().scope("order:write"), 403),
        (ada.clone().role("CUSTOMER").scope("order:write"), 201),
    ] {
        let answer = caller.post("/purchases", body.clone()).await;
        assert_eq!(answer.status, status, "{caller:?}");
    }
    let hers = format!("/purchases/of/{}", ada.id().await);
    ada.get(&hers).await.expect(200);
    core.user("root").role("ADMIN").get(&hers).await.expect(200);
    assert_eq!(
        core.user("grace").role("CUSTOMER").get(&hers).await.code(),
        "forbidden"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_asks_too_often_is_told_to_wait() {
    let config = vec![
        ("http.rate_limits.normal_per_second", "1".to_owned()),
        ("http.rate_limits.normal_burst", "3".to_owned()),
    ];
    let core = start(config).await;
    let (ada, grace) = (core.user("ada"), core.user("grace"));
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(ada.get("/me").await.status);
    }
    assert_eq!(statuses[..3], [200, 200, 200]);
    assert!(statuses.contains(&429), "{statuses:?}");
    grace.get("/me").await.expect(200);
    core.advance(Duration::seconds(10));
    ada.get("/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_tokens_are_paid_for_by_their_address() {
    let config = vec![
        ("http.rate_limits.normal_per_second", "1".to_owned()),
        ("http.rate_limits.normal_burst", "3".to_owned()),
    ];
    let core = start(config).await;
    let forged = core.user("ada").token().unwrap() + "x";
    let ask = || {
        core.anybody()
            .request(Method::GET, "/me")
            .bearer_auth(&forged)
    };
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(send(ask()).await.status);
    }
    assert_eq!(statuses[..3], [401, 401, 401]);
    assert!(statuses.contains(&429), "{statuses:?}");
    core.user("ada").get("/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_one_authorization() {
    let core = start(Vec::new()).await;
    let twice = core.user("ada").request(Method::GET, "/me");
    let twice = twice.bearer_auth(core.user("grace").token().unwrap());
    let answer = send(twice).await;
    answer.assert_refused(400, "validation_error");
    let details = &answer.body["error"]["details"];
    assert_eq!(details[0]["field"], "Authorization");
}
