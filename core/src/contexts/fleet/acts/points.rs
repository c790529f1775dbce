//! Sync points: the signed answer to a node's own nonce (ADMISSION 1.1).

use std::time::Duration;

use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::VenueId;
use eventify_protocol::sync::Nonce;
use eventify_protocol::time::MAX_WATERMARK_AGE;
use eventify_sync::core::watermark::Watermark;

use crate::contexts::fleet::App;
use crate::contexts::fleet::model::node::Node;
use crate::contexts::fleet::store::watermark;

/// A watermark older than this is read anew, so that signing and sending stay far from the limit.
const REUSE: Duration = Duration::from_millis(100);

/// Answers a node's `Ask`; `None` if its venue has no feed, or if reading took so long that the
/// answer would promise too much. The node asks again.
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
    let mut cached = slot.lock().await;
    if let Some((read_at, mark)) = *cached
        && read_at.elapsed() <= REUSE
    {
        return Ok(Some(mark));
    }
    // C is read after this moment, so the age counted from it is never too small.
    let read_at = app.clock.instant();
    let mark = watermark::read(app, cause, venue).await?;
    *cached = mark.map(|mark| (read_at, mark));
    if read_at.elapsed() > MAX_WATERMARK_AGE {
        tracing::warn!(
            code = "fleet.watermark_too_slow",
            venue_id = %venue,
            "reading the watermark took too long; the node gets no sync point"
        );
        return Ok(None);
    }
    Ok(mark)
}
