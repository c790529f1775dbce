//! `GET /v1/status`: the state of the node.

use std::sync::Arc;

use axum::{Json, extract::State};
use eventify_protocol::lan::NodeStatus;

use crate::lan::{Lan, error::ApiError};

pub(super) async fn status(State(lan): State<Arc<Lan>>) -> Result<Json<NodeStatus>, ApiError> {
    Ok(Json(lan.status().await?))
}
