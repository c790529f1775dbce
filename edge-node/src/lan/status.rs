//! `GET /v1/status` and `GET /v1/stream`: how the node is, once and from now on.

use std::{convert::Infallible, future::ready, sync::Arc};

use axum::{
    Extension, Json,
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use eventify_protocol::lan::{NodeStatus, StreamEvent};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::broadcast::error::RecvError;

use super::{Lan, auth::Caller, error::ApiError, locked};

pub(super) async fn status(State(lan): State<Arc<Lan>>) -> Result<Json<NodeStatus>, ApiError> {
    Ok(Json(lan.status().await?))
}

/// Begins with the counts as they are; the mode follows within a second, and then at least every
/// second. A listener that is too slow misses some, and the next one says it all again. Ends with
/// the access token and with the pairing.
pub(super) async fn stream(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let listener = lan.owner.listen();
    let counts = StreamEvent::Counts {
        gates: lan.owner.latest().gates.clone(),
    };
    let following = stream::unfold(listener, |mut listener| async move {
        loop {
            match listener.recv().await {
                Ok(event) => return Some((event, listener)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let stop = lan.stop.clone().cancelled_owned();
    let end = lan.streams.open(caller.scanner);
    let (ended, gone) = (end.clone().cancelled_owned(), end.drop_guard());
    let events = stream::once(async move { counts })
        .chain(following)
        .take_while(move |_| ready(may_listen(&lan, &caller)))
        .map(move |event| {
            // The stream's own end, whatever it is, gives its place back.
            let _until_then = &gone;
            Ok(encode(&event))
        })
        .take_until(stop)
        .take_until(ended);
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// Asked at each event, of which there is one every second.
fn may_listen(lan: &Lan, caller: &Caller) -> bool {
    let holder = caller
        .access
        .and_then(|token| locked(&lan.access).holder(token, lan.clock.boottime()));
    holder == Some(caller.scanner) && lan.scanners.find(caller.scanner).is_some()
}

fn encode(event: &StreamEvent) -> Event {
    let name = match event {
        StreamEvent::Mode { .. } => "mode",
        StreamEvent::Counts { .. } => "counts",
    };
    Event::default()
        .event(name)
        .json_data(event)
        .unwrap_or_else(|_| Event::default().comment("an event that is no JSON"))
}
