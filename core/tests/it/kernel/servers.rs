//! Servers that are out of reach are waited for; those that refuse us are named.

use crate::world::pooler::{Mode, Pooler};
use crate::world::{config, until};
use eventify_kernel::bus::{Bus, Routing};
use eventify_kernel::db;
use eventify_stack::{FaultProxy, Stack};
use tokio::net::TcpListener;

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
