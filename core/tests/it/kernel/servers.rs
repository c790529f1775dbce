//! Servers that are out of reach are waited for; those that refuse us are named.

use crate::world::pooler::{Mode, Pooler};
use crate::world::{TestApp, config, product, until};
use eventify_kernel::bus::{Bus, Routing};
use eventify_kernel::db;
use eventify_stack::{FaultProxy, Options, Stack};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::net::TcpListener;
use uuid::Uuid;

#[tokio::test]
async fn a_broker_that_is_out_of_reach_is_waited_for() {
    let stack = Stack::shared().await.unwrap();
    let scope = stack.scope().await.unwrap();
    let (line, url) = crate::world::proxied(&scope.amqp_url).await;
    let line: FaultProxy = line.unwrap();
    line.cut();
    let bus = Bus::new(
        config(&[("bus.url", url)]).kernel.bus,
        Vec::new(),
        Routing::default(),
    );
    let waiting = tokio::spawn({
        let bus = bus.clone();
        async move { bus.wait().await }
    });
    until("the first attempt has failed", async || bus.is_lost()).await;
    assert!(!waiting.is_finished());
    line.heal();
    waiting.await.unwrap().unwrap();
    assert!(!bus.is_lost());
}

#[tokio::test]
async fn a_broker_that_refuses_us_is_named_with_its_setting() {
    let stack = Stack::shared().await.unwrap();
    let scope = stack.scope().await.unwrap();
    let (_, rest) = scope.amqp_url.split_once('@').unwrap();
    let url = format!("amqp://nobody:secret@{rest}");
    let bus = Bus::new(
        config(&[("bus.url", url)]).kernel.bus,
        Vec::new(),
        Routing::default(),
    );
    let said = bus.wait().await.unwrap_err().to_string();
    let (address, _) = rest.split_once('/').unwrap();
    for part in [address, "refuses the connection", "bus.url"] {
        assert!(said.contains(part), "'{part}' is missing in: {said}");
    }
    assert!(!said.contains("secret"), "{said}");
}

#[tokio::test]
async fn a_database_that_is_out_of_reach_is_asked_again() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://{}/eventify", nobody.local_addr().unwrap());
    let config = config(&[("database.url", url)]);
    let waiting = db::wait(&config.kernel.database, &["order"]);
    tokio::pin!(waiting);
    for _attempt in 0..3 {
        tokio::select! {
            ended = &mut waiting => panic!("{ended:?}"),
            accepted = nobody.accept() => drop(accepted.unwrap()),
        }
    }
}

#[tokio::test]
async fn a_database_that_refuses_us_is_named_with_its_setting() {
    let stack = Stack::shared().await.unwrap();
    let scope = stack.scope().await.unwrap();
    let (server, _) = scope.database.url().rsplit_once('/').unwrap();
    let config = config(&[("database.url", format!("{server}/nowhere"))]);
    let refused = db::wait(&config.kernel.database, &["order"])
        .await
        .unwrap_err();
    let said = refused.to_string();
    let (login, address) = server.rsplit_once('@').unwrap();
    let (_, password) = login.rsplit_once(':').unwrap();
    for part in [
        address,
        "/nowhere",
        "refuses the connection",
        "database.url",
    ] {
        assert!(said.contains(part), "'{part}' is missing in: {said}");
    }
    assert!(!said.contains(password), "{said}");
}

/// C16: elections and notifications seem to work through it, and don't.
#[tokio::test]
async fn a_pooler_that_lends_sessions_out_for_a_transaction_is_refused_at_the_start() {
    let stack = Stack::shared().await.unwrap();
    let scope = stack.scope().await.unwrap();
    let (login, address) = scope.database.url().rsplit_once('@').unwrap();
    let (server, database) = address.split_once('/').unwrap();
    let (_, password) = login.rsplit_once(':').unwrap();
    for (mode, fault) in [
        (Mode::Session, None),
        (Mode::SessionWithoutOptions, Some("`options`")),
        (Mode::Transaction, Some("in transaction mode")),
    ] {
        let pooler = Pooler::before(server.parse().unwrap(), mode).await;
        let url = format!("{login}@{}/{database}", pooler.address);
        let config = config(&[("database.url", url)]);
        let waited = db::wait(&config.kernel.database, &["order", "payment"]).await;
        let Some(fault) = fault else {
            assert!(waited.is_ok(), "{mode:?}: {waited:?}");
            continue;
        };
        let said = waited.unwrap_err().to_string();
        let place = format!("{}/{database}", pooler.address);
        for part in [&place, "PgBouncer", fault, "database.url", "session mode"] {
            assert!(said.contains(part), "'{part}' is missing in: {said}");
        }
        assert!(!said.contains(password), "{said}");
    }
}

/// Why a core beside this one, with this setting, does not start.
async fn refusal(core: &TestApp, setting: (&'static str, &str)) -> String {
    let setting = vec![(setting.0, setting.1.to_owned())];
    let refused = core.start_beside(setting, product).await;
    format!("{:#}", refused.expect_err("a refusal"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_keeps_any_number_for_a_node_stops_the_start() {
    let core = TestApp::start().await;
    let checked = ("bus.check_limits", "true");
    let started = core.start_beside(vec![(checked.0, checked.1.to_owned())], product);
    started.await.expect("a broker with limits").stop().await;

    core.scope.remove_policy("edge-downlinks").await.unwrap();
    let said = refusal(&core, checked).await;
    for part in ["^mqtt-subscription-", "2000", "OPERATING.md"] {
        assert!(said.contains(part), "'{part}' is missing in: {said}");
    }
}

/// S2 a: one enrolled node took the memory of the broker and of each core with messages of any size.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_takes_messages_of_any_size_is_refused() {
    let options = Options {
        any_message_size: true,
        ..Options::default()
    };
    let stack = Stack::start(options).await.unwrap();
    let scope = stack.scope().await.unwrap();
    let url = scope.amqp_url.clone();
    let settings = config(&[("bus.url", url)]).kernel.bus;
    let bus = Bus::new(settings, Vec::new(), Routing::default());
    let said = bus.check_limits(Uuid::nil()).await.unwrap_err().to_string();
    for part in ["max_message_size = 4194304", "OPERATING.md"] {
        assert!(said.contains(part), "'{part}' is missing in: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_grants_too_few_connections_stops_the_start() {
    let core = TestApp::start().await;
    let url = core.scope.database.url();
    let name = url.rsplit_once('/').unwrap().1;
    let mut admin = PgConnection::connect(url).await.unwrap();
    let limit = format!("alter database \"{name}\" connection limit 60");
    sqlx::raw_sql(AssertSqlSafe(limit))
        .execute(&mut admin)
        .await
        .unwrap();
    let few = ("database.max_connections", "2");
    let said = refusal(&core, few).await;
    for part in [
        name,
        "grants 60 connections",
        "CONNECTION LIMIT",
        "database.max_connections",
        "OPERATING.md",
    ] {
        assert!(said.contains(part), "'{part}' is missing in: {said}");
    }

    let said = refusal(&core, ("database.max_connections", "200")).await;
    assert!(
        said.contains("(its max_connections)"),
        "of the server: {said}"
    );
    let needed = said.split_once("may open ").unwrap().1;
    let needed: u32 = needed.split_once(':').unwrap().0.parse().unwrap();
    let by_default = needed - 9 * (200 - 8);
    let guide = include_str!("../../../../deploy/OPERATING.md");
    let told = format!("all roles in one process that is {by_default}:");
    assert!(guide.contains(&told), "OPERATING.md lacks: {told}");
}
