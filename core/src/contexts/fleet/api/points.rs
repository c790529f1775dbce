//! Sync points: the signed answer to a node's own question (ADMISSION 1.1).

use std::time::Duration;

use eventify_protocol::ids::VenueId;
use eventify_protocol::sync::Nonce;
use eventify_protocol::time::MAX_WATERMARK_AGE;
use eventify_sync::core::watermark::Watermark;

use crate::contexts::fleet::App;
use crate::contexts::fleet::model::node::Node;
use crate::contexts::fleet::store::watermark;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;

/// A watermark older than this is read anew, so that signing and sending stay far from the limit.
const REUSE: Duration = Duration::from_millis(100);

/// Answers a node's question; `None` if its venue has no feed, or if reading took so long that the
/// answer would claim more than it knows. The node asks again.
pub(crate) async fn answer(
    app: &App,
    cause: &Cause,
    node: &Node,
    nonce: Nonce,
) -> DbResult<Option<Vec<u8>>> {
    let Ok(keys) = app.keys.ring() else {
        return Ok(None);
    };
    let Some(mark) = fresh(app, cause, node.venue_id).await? else {
        return Ok(None);
    };
    let point = mark.answer(nonce, node.node_id, node.venue_id);
    Ok(Some(point.sign(&keys.sync)))
}

/// The venue's watermark, at most [`MAX_WATERMARK_AGE`] old.
async fn fresh(app: &App, cause: &Cause, venue: VenueId) -> DbResult<Option<Watermark>> {
    let slot = app.state.watermark_slot(venue);
    let mut held = slot.lock().await;
    if let Some((taken, mark)) = *held
        && taken.elapsed() <= REUSE
    {
        return Ok(Some(mark));
    }
    // C is read after this moment, so the age counted here is never too small.
    let taken = app.clock.instant();
    let read = watermark::read(app, cause, venue).await?;
    *held = read.map(|mark| (taken, mark));
    if taken.elapsed() > MAX_WATERMARK_AGE {
        tracing::warn!(%venue, "reading the watermark took too long; the question goes unanswered");
        return Ok(None);
    }
    Ok(read)
}
