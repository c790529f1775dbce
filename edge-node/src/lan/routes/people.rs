//! `GET /v1/people`: who works here.

use std::sync::Arc;

use axum::{Json, extract::State};
use eventify_protocol::lan::People;

use crate::lan::Lan;

pub(super) async fn list(State(lan): State<Arc<Lan>>) -> Json<People> {
    Json(lan.list_people())
}
