//! The database goes away: what is under way waits for it, and nothing is lost.

use eventify_kernel::bus::dead_letters;

use super::bus::{capture, contexts, contexts_together, times_paid};
use crate::world::{ContextsOf, TestApp, TestOptions, proxied, until};

/// A core with these roles, and no others.
async fn with_roles(roles: &str) -> TestApp {
    TestApp::with(TestOptions {
        contexts: Some(contexts),
        config: vec![("process.roles", roles.to_owned())],
        ..TestOptions::default()
    })
    .await
}

/// A database that is gone for longer than all retries take, as while a server is replaced.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_while_the_database_is_gone_waits_for_it_and_is_not_parked() {
    for contexts in [contexts as ContextsOf, contexts_together] {
        let core = with_roles("[\"serve\", \"relay\"]").await;
        let (line, url) = proxied(core.scope.database.url()).await;
        let line = line.unwrap();
        let works = vec![
            ("process.roles", "[\"work\"]".to_owned()),
            ("database.url", url),
            ("database.acquire_timeout_ms", "500".to_owned()),
        ];
        let worker = core.beside(works, contexts).await;
        capture(&core, core.clock.new_id()).await;
        core.settle().await;

        line.cut();
        let before = line.connections();
        capture(&core, core.clock.new_id()).await;
        let bus = &core.app().bus;
        let parked = async || dead_letters::count(bus, "order").await.unwrap();
        until(
            "the database was asked more often than a message is retried",
            async || line.connections() >= before + 16 || parked().await > 0,
        )
        .await;
        assert_eq!(parked().await, 0);
        line.heal();
        core.settle().await;
        assert_eq!(times_paid(&core).await, [1, 1]);
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_no_message_whose_database_is_gone() {
    let core = with_roles("[\"serve\", \"relay\"]").await;
    let (line, url) = proxied(core.scope.database.url()).await;
    let line = line.unwrap();
    let works = |url: &str| {
        vec![
            ("process.roles", "[\"work\"]".to_owned()),
            ("database.url", url.to_owned()),
            ("database.acquire_timeout_ms", "500".to_owned()),
        ]
    };
    let worker = core.beside(works(&url), contexts).await;
    line.cut();
    let before = line.connections();
    capture(&core, core.clock.new_id()).await;
    until("the message is in hand", async || {
        line.connections() > before
    })
    .await;
    worker.stop().await;
    let next = core
        .beside(works(core.scope.database.url()), contexts)
        .await;
    core.settle().await;
    assert_eq!(times_paid(&core).await, [1]);
    next.stop().await;
}

/// What a server that lost its power leaves behind, or a firewall that forgot the connection: nothing
/// is refused, and nothing ever answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_database_never_answers_takes_a_new_connection() {
    let core = with_roles("[\"serve\", \"work\"]").await;
    let (line, url) = proxied(core.scope.database.url()).await;
    let line = line.unwrap();
    let relays = vec![
        ("process.roles", "[\"relay\"]".to_owned()),
        ("database.url", url),
        ("database.statement_timeout_ms", "1000".to_owned()),
    ];
    let relay = core.beside(relays, contexts).await;
    capture(&core, core.clock.new_id()).await;
    core.settle().await;
    let before = line.connections();
    line.black_hole();
    until("it connects anew", async || line.connections() > before).await;
    line.heal();
    capture(&core, core.clock.new_id()).await;
    core.settle().await;
    assert_eq!(times_paid(&core).await, [1, 1]);
    relay.stop().await;
}
