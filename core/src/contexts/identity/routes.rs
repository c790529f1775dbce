//! `GET /me`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use eventify_kernel::auth::Role;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Policy, Routes};
use serde::Serialize;
use uuid::Uuid;

use super::{App, NAME, store};

pub(super) fn routes() -> Routes<App> {
    Routes::new().get("/me", Policy::signed_in(), me)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Me {
    user_id: Uuid,
    roles: Vec<Role>,
    scopes: Vec<String>,
    org_id: Option<String>,
    first_seen_at: DateTime<Utc>,
}

async fn me(State(app): State<App>, caller: Caller) -> Answer<Json<Me>> {
    let principal = caller.principal()?;
    let mut conn = app.db.read(NAME).await?;
    let first_seen_at = store::first_seen_at(&mut conn, principal.user_id)
        .await?
        .ok_or_else(|| ApiError::not_found("user_not_found", "the user has been removed"))?;
    Ok(Json(Me {
        user_id: principal.user_id,
        roles: principal.roles.iter().copied().collect(),
        scopes: principal.scopes.iter().cloned().collect(),
        org_id: principal.org_id.clone(),
        first_seen_at,
    }))
}
