//! `PUT /orders/{orderId}/guest`: who comes. A name is given by whoever wants to be found by it at the door,
//! and can be taken back at any time.

use axum::extract::State;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Path, Words};
use eventify_protocol::ids::OrderId;
use eventify_protocol::sync::MAX_GUEST_NAME_CHARS;
use eventify_protocol::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::owned;
use crate::contexts::order::{App, acts};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Guest {
    /// Null or empty takes it back.
    name: Words,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GuestView {
    order_id: OrderId,
    name: Option<String>,
}

pub(super) async fn name(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<OrderId>,
    Json(body): Json<Guest>,
) -> Answer<Json<GuestView>> {
    let order = owned(&app, &caller, id).await?;
    if order.state.paid_at().is_some() {
        caller.must_own(order.customer_id)?;
    }
    let name = checked("name", body.name)?;
    acts::name_guest(&app, &caller.cause, order.id, name.as_deref()).await?;
    Ok(Json(GuestView {
        order_id: order.id,
        name,
    }))
}

/// As a ticket's holder may be called.
pub(super) fn checked(field: &'static str, name: Words) -> Answer<Option<String>> {
    let name = name
        .0
        .map(|name| text::line(&name, 0..=MAX_GUEST_NAME_CHARS));
    let name = name.transpose();
    let name = name.map_err(|unfit| ApiError::invalid(field, unfit.to_string()))?;
    Ok(name.filter(|name| !name.is_empty()))
}
