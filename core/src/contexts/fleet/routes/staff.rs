//! `/fleet/venues/{venueId}/staff`.

use axum::extract::State;
use axum::response::AppendHeaders;
use eventify_kernel::http::{
    Answer, Caller, IfMatch, Json, Paged, Paging, Path, Query, StatusCode, etag,
};
use eventify_protocol::ids::{PersonId, VenueId};
use eventify_protocol::staff::StaffRole;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::gates::EtagHeader;
use super::{Created, created};
use crate::contexts::fleet::acts::staff::{self, Account};
use crate::contexts::fleet::acts::{FleetError, venues};
use crate::contexts::fleet::model::staff::{Member, MemberPlan};
use crate::contexts::fleet::{App, NAME, store};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewMember {
    user_id: Option<Uuid>,
    issuer: Option<String>,
    subject: Option<String>,
    name: String,
    roles: Vec<StaffRole>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Listed {
    /// Those who have left too: journals and reports name them.
    #[serde(default)]
    ended: bool,
    page: Option<u32>,
    size: Option<u32>,
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(venue): Path<VenueId>,
    Query(listed): Query<Listed>,
) -> Answer<Json<Paged<Member>>> {
    let paging = Paging::of(listed.page, listed.size)?;
    let mut conn = app.db.read(NAME).await?;
    venues::own(&mut conn, caller.principal()?, venue).await?;
    let (staff, total) = store::staff::list_page(&mut conn, venue, listed.ended, paging).await?;
    Ok(Json(paging.answer(staff, total)))
}

pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    Path(venue): Path<VenueId>,
    Json(new): Json<NewMember>,
) -> Answer<Created<Member>> {
    let account = Account {
        user_id: new.user_id,
        issuer: new.issuer,
        subject: new.subject,
    };
    let plan = MemberPlan {
        name: new.name,
        roles: new.roles,
    };
    let by = caller.principal()?;
    let member = staff::add(&app, &caller.cause, by, venue, (account, plan)).await?;
    let path = format!("/fleet/venues/{venue}/staff/{}", member.person_id);
    Ok(created(path, member))
}

pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path((venue, person)): Path<(VenueId, PersonId)>,
) -> Answer<(EtagHeader, Json<Member>)> {
    let mut conn = app.db.read(NAME).await?;
    venues::own(&mut conn, caller.principal()?, venue).await?;
    let member = store::staff::find(&mut conn, venue, person).await?;
    let member = member.ok_or(FleetError::PersonNotFound)?;
    Ok((AppendHeaders([etag(member.version)]), Json(member)))
}

pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    version: IfMatch,
    Path((venue, person)): Path<(VenueId, PersonId)>,
    Json(plan): Json<MemberPlan>,
) -> Answer<(EtagHeader, Json<Member>)> {
    let mut conn = app.db.read(NAME).await?;
    venues::own(&mut conn, caller.principal()?, venue).await?;
    let before = store::staff::find(&mut conn, venue, person).await?;
    let before = before.ok_or(FleetError::PersonNotFound)?;
    drop(conn);
    version.must_match(before.version)?;
    let whom = (venue, person, before.version);
    let member = staff::edit(&app, &caller.cause, caller.principal()?, whom, plan).await?;
    Ok((AppendHeaders([etag(member.version)]), Json(member)))
}

pub(super) async fn end(
    State(app): State<App>,
    caller: Caller,
    Path(whom): Path<(VenueId, PersonId)>,
) -> Answer<StatusCode> {
    staff::end(&app, &caller.cause, caller.principal()?, whom).await?;
    Ok(StatusCode::NO_CONTENT)
}
