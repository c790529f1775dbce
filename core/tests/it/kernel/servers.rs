//! Servers that are out of reach are waited for; those that refuse us are named.

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

#[tokio::test]
async fn a_broker_without_limits_is_told_from_one_with_them() {
    let stack = Stack::shared().await.unwrap();
    let scope = stack.scope().await.unwrap();
    let url = scope.amqp_url.clone();
    let settings = config(&[("bus.url", url)]).kernel.bus;
    let bus = Bus::new(settings, Vec::new(), Routing::default());
    bus.check_limits().await.unwrap();

    scope.remove_policy("edge-downlinks").await.unwrap();
    let said = bus.check_limits().await.unwrap_err().to_string();
    for part in ["^mqtt-subscription-", "2000", "OPERATING.md"] {
        assert!(said.contains(part), "'{part}' is missing in: {said}");
    }
}
