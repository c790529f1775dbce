//! Each test has its own database and virtual host on the run's servers.

use std::sync::atomic::{AtomicUsize, Ordering};

use eventify_stack::Stack;
use sqlx::{Connection, PgConnection};

static MIGRATIONS: AtomicUsize = AtomicUsize::new(0);

async fn migrate(url: String) -> Result<(), sqlx::Error> {
    MIGRATIONS.fetch_add(1, Ordering::SeqCst);
    let mut connection = PgConnection::connect(&url).await?;
    sqlx::raw_sql("CREATE TABLE seats (label text PRIMARY KEY); INSERT INTO seats VALUES ('A-12')")
        .execute(&mut connection)
        .await?;
    connection.close().await
}

async fn seats(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM seats")
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_template_is_migrated_once_and_its_clones_are_separate() {
    let stack = Stack::shared().await.unwrap();
    let clone = || stack.database("isolation-test", migrate);
    let (one, two, three) = tokio::try_join!(clone(), clone(), clone()).unwrap();
    assert_eq!(MIGRATIONS.load(Ordering::SeqCst), 1);

    let mut connection = PgConnection::connect(one.url()).await.unwrap();
    sqlx::query("DELETE FROM seats")
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(seats(one.url()).await, 0);
    assert_eq!(seats(two.url()).await, 1);
    assert_eq!(seats(three.url()).await, 1);
}

#[tokio::test]
async fn a_failed_migration_is_tried_again_by_the_next_caller() {
    let stack = Stack::shared().await.unwrap();
    let broken = stack
        .database("repaired", |_| async { Err("a typing error") })
        .await;
    assert!(broken.unwrap_err().to_string().contains("a typing error"));
    let repaired = stack.database("repaired", migrate_elsewhere).await.unwrap();
    assert_eq!(seats(repaired.url()).await, 0);
}

async fn migrate_elsewhere(url: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(&url).await?;
    sqlx::raw_sql("CREATE TABLE seats (label text)")
        .execute(&mut connection)
        .await?;
    connection.close().await
}

#[tokio::test]
async fn queues_of_the_same_name_in_two_scopes_are_two_queues() {
    use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions};
    use lapin::{BasicProperties, ConnectionProperties, types::FieldTable};

    let _ = rustls::crypto::ring::default_provider().install_default();
    let stack = Stack::shared().await.unwrap();
    let (one, two) = tokio::try_join!(stack.scope(), stack.scope()).unwrap();
    let mut channels = Vec::new();
    for scope in [&one, &two] {
        let properties = ConnectionProperties::default();
        let connection = lapin::Connection::connect(&scope.amqp_url, properties)
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        let (durable, no_arguments) = (QueueDeclareOptions::default(), FieldTable::default());
        channel
            .queue_declare("orders".into(), durable, no_arguments)
            .await
            .unwrap();
        channels.push((connection, channel));
    }
    let (properties, publish) = (BasicProperties::default(), BasicPublishOptions::default());
    let (_, first) = &channels[0];
    first
        .basic_publish("".into(), "orders".into(), publish, b"one", properties)
        .await
        .unwrap();
    let got = first
        .basic_get("orders".into(), BasicGetOptions::default())
        .await
        .unwrap();
    assert!(got.is_some());
    let (_, second) = &channels[1];
    let got = second
        .basic_get("orders".into(), BasicGetOptions::default())
        .await
        .unwrap();
    assert!(got.is_none());
}
