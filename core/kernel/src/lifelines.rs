//! What the core can't work without, as alarms: the broker, what waits for it, and the identity providers.
//!
//! A database that doesn't answer can't hold an alarm: readiness and the log tell of it.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use crate::alarms::{self, Alarm, Stops};
use crate::app::App;
use crate::cause::Cause;
use crate::db::outbox;
use crate::failure::Failure;
use crate::jobs::{Job, Jobs};

const EVERY: Duration = Duration::from_secs(15);
/// The relay takes milliseconds.
const WAITS_TOO_LONG: TimeDelta = TimeDelta::seconds(60);

const BROKER: &str = "broker";
const UNREACHABLE: &str = "bus.unreachable";
const BLOCKED: &str = "bus.blocked";
const STANDING: &str = "bus.outbox_standing";
const ISSUER: &str = "auth.issuer_unreachable";

/// They need a schema for their locks and rows: any context's will do.
pub(crate) fn jobs(context: &'static str) -> Jobs {
    Jobs::new()
        .every(EVERY, Job::of(context, "watch_outboxes"), watch_outboxes)
        .every(EVERY, Job::of(context, "watch_servers"), watch_servers)
}

/// Events that don't leave are orders without tickets, and tickets that gates don't know.
async fn watch_outboxes(app: &App, _: &Cause) -> Result<(), Failure> {
    const ACT: &str = "events of this context don't reach the others: orders stay without tickets, and gates \
                       without changes. Does the broker answer and take messages (its memory and disk alarms), \
                       and does a process with the role `relay` run? refusedBecause in the details says what \
                       the broker doesn't take";
    let contexts: Vec<_> = app.db.contexts().collect();
    for context in contexts {
        let mut conn = app.db.read(context).await?;
        let standing = outbox::list_standing(&mut conn, WAITS_TOO_LONG).await?;
        let now = app.clock.now();
        if standing.waiting == 0 {
            alarms::clear(&mut conn, STANDING, context, now).await?;
            continue;
        }
        let details = json!({
            "waiting": standing.waiting, "oldestAt": standing.oldest_at, "refused": standing.refused,
            "refusedBecause": standing.refused_because,
        });
        alarms::raise(
            &mut conn,
            &Alarm::new(STANDING, context, ACT)
                .with(details)
                .stops(&[Stops::Sales, Stops::Gates]),
            now,
        )
        .await?;
    }
    Ok(())
}

/// Asks the servers themselves: which process notices first is chance.
async fn watch_servers(app: &App, cause: &Cause) -> Result<(), Failure> {
    const BROKER_ACT: &str = "no gate is connected to the core, and after five minutes without it none decides \
                              any more; sales go on and their tickets wait. Start the broker, or correct \
                              `bus.url`; the core finds it by itself";
    const BLOCKED_ACT: &str = "the broker takes no message: orders wait for their payment and payments for their \
                               tickets, and gates decide alone for five minutes at most, then none. It is short of \
                               memory or disk (`rabbitmqctl status`, \"Alarms\"): give it some; all goes on by itself";
    const ISSUER_ACT: &str = "who is not signed in yet can't sign in, and after a change of its keys nobody's \
                              token is accepted: look at the identity provider, and at `auth.issuers`";
    let Some(context) = app.db.contexts().next() else {
        return Ok(());
    };
    let connected = app.bus.is_connected().await;
    let is_blocked = connected && !app.bus.takes_messages().await;
    let unreachable = app.auth.list_unreachable(app.clock.now()).await;
    let now = app.clock.now();
    let mut tx = app.db.begin(context, cause).await?;
    for (kind, stands, act) in [
        (UNREACHABLE, !connected, BROKER_ACT),
        (BLOCKED, is_blocked, BLOCKED_ACT),
    ] {
        let alarm = Alarm::new(kind, BROKER, act).stops(&[Stops::Sales, Stops::Gates]);
        if stands {
            alarms::raise(&mut tx, &alarm, now).await?;
        } else {
            alarms::clear(&mut tx, kind, BROKER, now).await?;
        }
    }
    let unreachable: Vec<_> = unreachable
        .into_iter()
        .map(|issuer| Alarm::new(ISSUER, issuer, ISSUER_ACT))
        .collect();
    alarms::set(&mut tx, ISSUER, &unreachable, now).await?;
    Ok(tx.commit().await?)
}
