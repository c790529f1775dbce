//! `/fleet/alarms`.

use axum::extract::State;
use eventify_kernel::alarms::list_standing;
use eventify_kernel::http::{Answer, Caller, Json, Paged, Paging, Path};
use serde::Deserialize;
use uuid::Uuid;

use crate::contexts::fleet::acts::{alarms as acts, venues};
use crate::contexts::fleet::store::alarms::{self, ListedAlarm, RaisedAlarm};
use crate::contexts::fleet::{App, NAME};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    /// How often the alarm had occurred when it was looked at.
    occurrences: i64,
}

/// An administrator sees those that stand at any context first, with what to do.
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    paging: Paging,
) -> Answer<Json<Paged<ListedAlarm>>> {
    let mut conn = app.db.read(NAME).await?;
    let venues = venues::visible(&mut conn, caller.principal()?).await?;
    drop(conn);
    let standing = match venues {
        None => list_standing(&app).await?,
        Some(_) => Vec::new(),
    };
    let stand = i64::try_from(standing.len()).unwrap_or(i64::MAX);
    let (offset, limit) = (paging.offset(), paging.limit());
    let first = standing
        .into_iter()
        .map(|it| ListedAlarm::Standing(it.into()));
    let mut items: Vec<_> = first
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .collect();
    let rest = limit - i64::try_from(items.len()).unwrap_or(limit);
    let mut conn = app.db.read(NAME).await?;
    let window = ((offset - stand).max(0), rest);
    let (raised, total) = alarms::list(&mut conn, venues.as_deref(), window).await?;
    items.extend(raised.into_iter().map(ListedAlarm::Raised));
    Ok(Json(paging.answer(items, total + stand)))
}

pub(super) async fn mark_seen(
    State(app): State<App>,
    caller: Caller,
    Path(alarm): Path<Uuid>,
    Json(seen): Json<Seen>,
) -> Answer<Json<RaisedAlarm>> {
    let which = (alarm, seen.occurrences);
    let alarm = acts::mark_seen(&app, &caller.cause, caller.principal()?, which).await?;
    Ok(Json(alarm))
}
