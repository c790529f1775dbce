//! `GET /v1/stream`: the mode and the counts of the node as they change.

use std::{convert::Infallible, future::ready, sync::Arc};

use axum::{
    Extension,
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use eventify_protocol::lan::StreamEvent;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::lan::{Lan, auth::Caller, locked};

/// Begins with the current counts; the mode follows within a second, and then at least every
/// second. A client that reads too slowly misses events; each event is complete in itself. Ends when the
/// scanner has no valid access token left, and with the pairing.
pub(super) async fn stream(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let later = events(lan.owner.listen());
    let counts = StreamEvent::Counts {
        gates: lan.owner.latest().gates.clone(),
    };
    let stop = lan.stop.clone().cancelled_owned();
    let end = lan.streams.open(caller.scanner);
    let (replaced, on_drop) = (end.clone().cancelled_owned(), end.drop_guard());
    let events = stream::once(ready(counts))
        .chain(later)
        .take_while(move |_| ready(may_listen(&lan, &caller)))
        .map(move |event| {
            // However the stream ends, its place among the open ones is free then.
            let _until_then = &on_drop;
            Ok(encode(&event))
        })
        .take_until(stop)
        .take_until(replaced);
    Sse::new(events).keep_alive(KeepAlive::default())
}

fn events(receiver: Receiver<StreamEvent>) -> impl Stream<Item = StreamEvent> {
    stream::unfold(receiver, |mut receiver| async move {
        loop {
            match receiver.recv().await {
                Ok(event) => return Some((event, receiver)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

/// Checked at each event, of which there is one every second.
fn may_listen(lan: &Lan, caller: &Caller) -> bool {
    let now = lan.clock.boottime();
    locked(&lan.access_tokens).is_held_by(caller.scanner, now)
        && lan.scanners.find(caller.scanner).is_some()
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
