//! Settling by fact: every outbox row is published, every message stands in the inbox of every
//! consumer of its type, no woken job is left.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use eventify_core::assembly::Consumed;
use eventify_kernel::app::App;
use eventify_kernel::db::{inbox, outbox};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

/// Far beyond any retry in tests.
const TIMEOUT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

pub(super) async fn settle(app: &App, consumed: &Consumed) {
    let mut open = Vec::new();
    let settled = tokio::time::timeout(TIMEOUT, async {
        loop {
            let mut progress = pin!(app.faults.progress());
            progress.as_mut().enable();
            let rows;
            (rows, open) = unsettled(app, consumed).await;
            // Jobs in between: a woken one may have written, and a consumer's commit wakes it
            // before the message shows in the inbox. The contexts are read one after the other: what is
            // written meanwhile shows in the number of rows.
            if open.is_empty()
                && app.jobs.idle()
                && unsettled(app, consumed).await == (rows, Vec::new())
                && app.jobs.idle()
            {
                return;
            }
            progress.await;
        }
    })
    .await;
    assert!(
        settled.is_ok(),
        "jobs idle: {}; waiting for {open:#?}",
        app.jobs.idle()
    );
}

/// Polls for a fact that sends no notification: another server's, or the clock's.
/// The test fails when it doesn't come true.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        let mut looks = tokio::time::interval(LOOK_AGAIN);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if is_so().await {
                return;
            }
        }
    };
    assert!(
        tokio::time::timeout(TIMEOUT, waiting).await.is_ok(),
        "waited in vain: {what}"
    );
}

/// How many messages were written, and what is missing, in words.
async fn unsettled(app: &App, consumed: &Consumed) -> (usize, Vec<String>) {
    let (mut rows, mut open) = (0, Vec::new());
    for context in app.db.contexts() {
        let mut conn = app.db.read(context).await.expect("a connection");
        let written = outbox::written(&mut conn).await.expect("the outbox");
        drop(conn);
        rows += written.len();
        for (id, kind, published) in &written {
            if !published {
                open.push(format!("{kind} {id} of {context}: not published"));
            }
        }
        for (consumer, kinds) in consumed {
            let due: Vec<(Uuid, &str)> = written
                .iter()
                .filter(|(_, kind, published)| *published && kinds.contains(&kind.as_str()))
                .map(|(id, kind, _)| (*id, kind.as_str()))
                .collect();
            open.extend(unconsumed(app, context, consumer, &due).await);
        }
    }
    (rows, open)
}

async fn unconsumed(
    app: &App,
    context: &str,
    consumer: &'static str,
    due: &[(Uuid, &str)],
) -> Vec<String> {
    if due.is_empty() {
        return Vec::new();
    }
    let ids: Vec<_> = due.iter().map(|(id, _)| *id).collect();
    let mut conn = app.db.read(consumer).await.expect("a connection");
    let done = inbox::processed(&mut conn, &ids).await.expect("the inbox");
    let done: HashSet<_> = done.into_iter().collect();
    due.iter()
        .filter(|(id, _)| !done.contains(id))
        .map(|(id, kind)| format!("{kind} {id} of {context}: {consumer} has not had it"))
        .collect()
}
