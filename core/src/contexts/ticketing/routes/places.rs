//! `/performances/{performanceId}/tickets`: whose ticket is of this seat. For whoever runs the show, helps
//! customers, or sells at the door, and has a guest in front of them who knows no number.

use axum::extract::State;
use eventify_kernel::auth::Role;
use eventify_kernel::http::{
    Answer, ApiError, Caller, Json, Paged, Paging, Path, Policy, Query, Routes,
};
use eventify_protocol::ids::{PerformanceId, UserId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::tickets::{View, organises};
use crate::contexts::ticketing::model::Performance;
use crate::contexts::ticketing::{App, NAME, acts, store};

const FINDERS: &[Role] = &[Role::Organizer, Role::BoxOffice, Role::Support, Role::Admin];

pub(super) fn routes(routes: Routes<App>) -> Routes<App> {
    let find = Policy::roles(FINDERS).owner("performance.owner_id or assignment");
    let path = "/performances/{performance_id}/tickets";
    routes.get(path, find.query(), list)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListQuery {
    /// As it stands on the ticket, `A-12`; left out: all.
    seat: Option<String>,
    page: Option<u32>,
    size: Option<u32>,
}

/// Newest first, so that the ticket that counts comes before those that it replaced. Without short codes: they
/// are the holder's.
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PerformanceId>,
    Query(query): Query<ListQuery>,
) -> Answer<Json<Paged<View>>> {
    let paging = Paging::of(query.page, query.size)?;
    let mut conn = app.db.read(NAME).await?;
    let show = store::list_performances(&mut conn, &[id])
        .await?
        .remove(&id);
    let show = show.ok_or_else(|| {
        ApiError::not_found("performance_not_found", "there is no such performance")
    })?;
    drop(conn);
    may_find(&app, &caller, &show).await?;
    let mut conn = app.db.read(NAME).await?;
    let window = (paging.offset(), paging.limit());
    let seat = query.seat.as_deref().map(str::trim);
    let (tickets, total) = store::list_tickets_of_seat(&mut conn, id, seat, window).await?;
    let shows = acts::tickets::shows_of(&mut conn, &tickets).await?;
    let views = tickets.into_iter().map(|ticket| View::of(ticket, &shows));
    Ok(Json(paging.answer(views.collect(), total)))
}

/// A box office is of no venue: it looks where it was assigned.
async fn may_find(app: &App, caller: &Caller, show: &Performance) -> Answer<()> {
    let who = caller.principal()?;
    if who.has_role(Role::Support) || organises(caller, Some(show))? {
        return Ok(());
    }
    let mut conn = app.db.read(NAME).await?;
    if who.has_role(Role::BoxOffice)
        && store::is_assigned_to(&mut conn, UserId(who.user_id), show.id).await?
    {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "another organiser runs this performance, and has not assigned you to its event",
    ))
}
