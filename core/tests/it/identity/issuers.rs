//! Several identity providers, and one that moves.

use eventify_core::assembly::Running;
use eventify_kernel::jobs;
use serde_json::{Value, json};

use crate::world::house::concert;
use crate::world::{Answer, TestApp, User, product, send};

const NEW: &str = "https://new.example/realms/tickets";
const ALL: &str = "\"CUSTOMER\", \"ORGANIZER\", \"ADMIN\"";

/// A core that trusts the tests' own provider under these names, each with more settings.
async fn trusting(core: &TestApp, issuers: &[(&str, &str)]) -> Running {
    let keys = format!("{}/jwks", core.issuer_url());
    let one = |(issuer, more): &(&str, &str)| {
        format!("{{ issuer = \"{issuer}\", jwks_url = \"{keys}\", {more} }}")
    };
    let list: Vec<_> = issuers.iter().map(one).collect();
    let setting = format!("[{}]", list.join(", "));
    core.beside(vec![("auth.issuers", setting)], product).await
}

async fn get(at: &Running, user: &User<'_>, path: &str) -> Answer {
    let address = at.address.expect("it serves");
    let token = user.token().expect("a user");
    let request = reqwest::Client::new().get(format!("http://{address}{path}"));
    send(request.bearer_auth(token)).await
}

async fn me(at: &Running, user: &User<'_>) -> Value {
    get(at, user, "/me").await.expect(200)
}

fn of_opera<'a>(core: &'a TestApp, name: &str, issuer: &str) -> User<'a> {
    let user = core.user(name).role("ORGANIZER");
    user.claim("org_id", json!("opera"))
        .claim("iss", json!(issuer))
}

async fn alarms(core: &TestApp, at: &Running) -> Vec<Value> {
    jobs::run_now(&at.app, "identity", "watch_issuers")
        .await
        .unwrap();
    let admin = core.user("boss").role("ADMIN");
    let listed = admin.get("/fleet/alarms").await.expect(200);
    let listed = listed["items"].as_array().expect("a list").iter();
    listed
        .filter(|it| it["code"] == "auth.issuer_vanished")
        .cloned()
        .collect()
}

/// C15: the issuer's address changes, and every person has become a new one.
#[tokio::test(flavor = "multi_thread")]
async fn who_moves_with_the_identity_provider_keeps_what_they_own() {
    let core = TestApp::start().await;
    let old = core.issuer_url().to_owned();
    let owner = of_opera(&core, "owner", &old);
    let created = owner.post("/events", concert("Tosca")).await;
    let path = created.header("location").to_owned();
    created.expect(201);
    let before = owner.get("/me").await.expect(200);

    let roles = format!("roles = [{ALL}]");
    let apart = trusting(&core, &[(&old, &roles), (NEW, &roles)]).await;
    let stranger = of_opera(&core, "late", NEW);
    let at_new_first = me(&apart, &stranger).await;
    assert_ne!(
        at_new_first["orgId"], before["orgId"],
        "S19: nobody said so"
    );
    get(&apart, &stranger, &path)
        .await
        .assert_refused(403, "forbidden");
    apart.stop().await;

    let moved = format!("succeeds = \"{old}\"");
    let moved = trusting(&core, &[(NEW, &moved)]).await;
    let at_new = me(&moved, &of_opera(&core, "owner", NEW)).await;
    assert_eq!(at_new["userId"], before["userId"]);
    assert_eq!(at_new["firstSeenAt"], before["firstSeenAt"]);
    get(&moved, &of_opera(&core, "owner", NEW), &path)
        .await
        .expect(200);
    // A colleague, by the organisation; and who was at the new one alone stays the same person.
    get(&moved, &of_opera(&core, "colleague", NEW), &path)
        .await
        .expect(200);
    let late = me(&moved, &stranger).await;
    assert_eq!(late["userId"], at_new_first["userId"]);
    moved.stop().await;

    // It is written down: a setting that is left out later parts nobody.
    let after = trusting(&core, &[(NEW, "")]).await;
    let colleague = me(&after, &of_opera(&core, "colleague", NEW)).await;
    assert_eq!(colleague["orgId"], before["orgId"]);
    assert_eq!(
        me(&after, &of_opera(&core, "owner", NEW)).await["userId"],
        before["userId"]
    );
    assert!(alarms(&core, &after).await.is_empty(), "its place is taken");
    after.stop().await;
}

/// C15: nobody noticed that an issuer was no longer in the settings, but those whom it had signed in.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_gone_from_the_settings_is_an_alarm() {
    let core = TestApp::start().await;
    let old = core.issuer_url().to_owned();
    core.user("ada").get("/me").await.expect(200);
    let moved = trusting(&core, &[(NEW, "")]).await;
    let alarm = alarms(&core, &moved).await.remove(0);
    assert_eq!(alarm["details"]["issuer"], json!(old));
    let act = alarm["act"].as_str().unwrap();
    assert!(
        act.contains("succeeds") && act.contains("auth.issuers"),
        "{act}"
    );
    assert_eq!(alarms(&core, &moved).await.len(), 1, "once");

    jobs::run_now(core.app(), "identity", "watch_issuers")
        .await
        .unwrap();
    let here = alarms_of(&core).await;
    assert!(here.is_empty(), "this one trusts it: {here:?}");

    let alarm = alarms(&core, &moved).await.remove(0);
    let path = format!(
        "/fleet/alarms/{}/acknowledge",
        alarm["alarmId"].as_str().unwrap()
    );
    let read = json!({ "occurrences": alarm["occurrences"], "name": "Ada" });
    core.user("boss")
        .role("ADMIN")
        .post(&path, read)
        .await
        .expect(200);
    assert!(
        alarms(&core, &moved).await.is_empty(),
        "gone for good, and said"
    );
    moved.stop().await;
}

async fn alarms_of(core: &TestApp) -> Vec<Value> {
    let admin = core.user("boss").role("ADMIN");
    let listed = admin.get("/fleet/alarms").await.expect(200);
    listed["items"].as_array().expect("a list").clone()
}

/// S19: each trusted issuer could make administrators, and members of any organisation.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_gives_the_roles_that_it_may_and_organisations_of_its_own() {
    let core = TestApp::start().await;
    let old = core.issuer_url().to_owned();
    let owner = of_opera(&core, "owner", &old);
    let created = owner.post("/events", concert("Tosca")).await;
    let path = created.header("location").to_owned();
    created.expect(201);
    let own = format!("roles = [{ALL}]");
    let both = trusting(&core, &[(&old, &own), (NEW, "roles = [\"ORGANIZER\"]")]).await;
    let climber = of_opera(&core, "owner", NEW).role("ADMIN");
    assert_eq!(me(&both, &climber).await["roles"], json!(["ORGANIZER"]));
    get(&both, &climber, &path)
        .await
        .assert_refused(403, "forbidden");
    // Nor by the text under which its organisation stands in rows.
    let theirs = me(&both, &climber).await["orgId"].clone();
    let forged = core
        .user("forger")
        .role("ORGANIZER")
        .claim("org_id", theirs.clone());
    assert_ne!(me(&both, &forged).await["orgId"], theirs);
    get(&both, &of_opera(&core, "colleague", &old), &path)
        .await
        .expect(200);
    both.stop().await;
}
