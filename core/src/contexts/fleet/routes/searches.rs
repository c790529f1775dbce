//! `GET /fleet/venues/{venueId}/searches`: who was shown which guests, newest first. Names are not here: the
//! venue's list of staff has those of people, the box office those of orders.

use axum::extract::State;
use chrono::{DateTime, Utc};
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Paged, Paging, Path};
use eventify_protocol::ids::{NodeId, VenueId};
use eventify_protocol::sync::{JournalEntry, SealedRow, Searched};
use serde::Serialize;

use crate::contexts::fleet::acts::venues;
use crate::contexts::fleet::store::journal_rows;
use crate::contexts::fleet::{App, NAME};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchView {
    node_id: NodeId,
    /// By the node's clock.
    at: Option<DateTime<Utc>>,
    received_at: DateTime<Utc>,
    #[serde(flatten)]
    searched: Searched,
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(venue): Path<VenueId>,
    paging: Paging,
) -> Answer<Json<Paged<SearchView>>> {
    let mut conn = app.db.read(NAME).await?;
    venues::own(&mut conn, caller.principal()?, venue).await?;
    let (rows, total) = journal_rows::list_searches(&mut conn, venue, paging).await?;
    let items = rows.into_iter().map(|listed| {
        let sealed = SealedRow::read(&listed.bytes).map_err(ApiError::internal)?;
        let JournalEntry::Searched(searched) = &sealed.row().entry else {
            return Err(ApiError::internal("a row of another kind"));
        };
        Ok(SearchView {
            node_id: listed.node_id,
            at: listed.wall_at,
            received_at: listed.received_at,
            searched: searched.clone(),
        })
    });
    let items = items.collect::<Result<Vec<_>, ApiError>>()?;
    Ok(Json(paging.answer(items, total)))
}
