//! How long the answers to idempotency keys are kept.

use chrono::Duration;
use serde_json::json;

use super::http::start;

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_forgotten_after_seven_days() {
    let core = start(Vec::new()).await;
    let ada = core.user("ada").role("CUSTOMER").scope("order:write");
    let body = json!({"seat": "A-12", "quantity": 1});
    let first = ada
        .post_with_key("/purchases", "k1", body.clone())
        .await
        .expect(201);
    core.advance(Duration::days(6));
    core.run_job("identity", "sweep_idempotency_keys").await;
    assert_eq!(
        ada.post_with_key("/purchases", "k1", body.clone())
            .await
            .expect(201),
        first
    );
    core.advance(Duration::days(2));
    core.run_job("identity", "sweep_idempotency_keys").await;
    assert_ne!(
        ada.post_with_key("/purchases", "k1", body)
            .await
            .expect(201),
        first
    );
}

/// One customer made 700 rows in ten seconds, which were kept for seven days.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_forgotten_after_an_hour_and_what_was_done_is_not() {
    let core = start(Vec::new()).await;
    let ada = core.user("ada").role("CUSTOMER").scope("order:write");
    let good = json!({"seat": "A-12", "quantity": 1});
    let done = ada
        .post_with_key("/purchases", "good", good.clone())
        .await
        .expect(201);
    let bad = json!({"seat": "A-12", "quantity": 0});
    let refused = ada.post_with_key("/purchases", "bad", bad.clone()).await;
    assert!((400..500).contains(&refused.status), "{}", refused.status);
    let kept = async || {
        core.run_job("identity", "sweep_idempotency_keys").await;
        let mut conn = core.app().db.read("order").await.unwrap();
        let keys: Vec<String> = sqlx::query_scalar("select key from idempotency_keys order by key")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        keys
    };
    core.advance(Duration::minutes(59));
    assert_eq!(kept().await, ["bad", "good"]);
    core.advance(Duration::minutes(2));
    assert_eq!(kept().await, ["good"]);
    let again = ada
        .post_with_key("/purchases", "good", good)
        .await
        .expect(201);
    assert_eq!(again, done);
}
