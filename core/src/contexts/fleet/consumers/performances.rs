//! Performances, as event_management publishes them. Each message reaches the writer, also one that
//! changes no feed: its outbox row is to be marked.

use eventify_contracts::event_management::{
    EventUpdated, PerformanceCancelled, PerformanceFacts, PerformanceRescheduled,
    PerformanceScheduled,
};
use eventify_kernel::db::{DbResult, Tx};
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;

use super::projections::change;
use crate::contexts::event_management;
use crate::contexts::fleet::App;
use crate::contexts::fleet::acts::{feed, performances as acts};
use crate::contexts::fleet::model::performance::Performance;
use crate::contexts::fleet::store::performances;
use crate::contexts::fleet::store::titles::{self, Title};

/// A foreign organiser's performance enters its venue's feed when the venue has confirmed it.
pub(super) async fn on_performance_scheduled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Result<(), Failure> {
    let (id, version) = (event.data.performance_id, event.aggregate_version);
    let facts = titled(tx, &event.data.facts).await?;
    let known = performances::upsert(tx, id, &facts, version).await?;
    project(app, tx, &event, known.as_ref()).await
}

/// The gates follow with the next delta; of a foreign organiser's performance when the venue has
/// confirmed the new times.
pub(super) async fn on_performance_rescheduled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceRescheduled>,
) -> Result<(), Failure> {
    let (id, version) = (event.data.performance_id, event.aggregate_version);
    let facts = titled(tx, &event.data.facts).await?;
    let known = performances::upsert(tx, id, &facts, version).await?;
    project(app, tx, &event, known.as_ref()).await
}

pub(super) async fn on_performance_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceCancelled>,
) -> Result<(), Failure> {
    let known = performances::cancel(tx, &event.data, event.aggregate_version).await?;
    project(app, tx, &event, known.as_ref()).await
}

/// The event's new title is that of its performances: on scanners, in alarms and mails. It changes nothing
/// about who is admitted, so a venue's word about a foreign organiser's performance stands.
pub(super) async fn on_event_updated(
    app: &App,
    tx: &mut Tx,
    event: Received<EventUpdated>,
) -> Result<(), Failure> {
    let title = Title {
        text: event.data.facts.title,
        version: event.aggregate_version,
    };
    Ok(acts::rename(app, tx, event.data.event_id, title).await?)
}

/// With the event's newest title, if that came before.
async fn titled(tx: &mut Tx, facts: &PerformanceFacts) -> DbResult<PerformanceFacts> {
    let known = titles::lock(tx, facts.event_id).await?;
    let newer = known.filter(|known| known.version > facts.event_version);
    let mut facts = facts.clone();
    if let Some(newer) = newer {
        facts.event_title = newer.text;
        facts.event_version = newer.version;
    }
    Ok(facts)
}

async fn project<E>(
    app: &App,
    tx: &mut Tx,
    event: &Received<E>,
    known: Option<&Performance>,
) -> Result<(), Failure> {
    let change = change(event, event_management::NAME, acts::entries(known));
    Ok(feed::enqueue(app, tx, &[change]).await?)
}
