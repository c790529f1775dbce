//! The page's side: commands and cues in, views out.

use std::{convert::Infallible, sync::Arc};

use anyhow::Result;
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    middleware,
    response::sse::{Event, KeepAlive, Sse},
    routing::{get, post},
};
use eventify_scanner_controller::{command::Command, io::Input};
use futures_util::{Stream, stream};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::{DevHost, cues, guard};

/// Until the process ends.
///
/// # Errors
/// The listener is broken.
pub async fn serve(listener: TcpListener, host: Arc<DevHost>) -> Result<()> {
    let router = Router::new()
        .route("/host/views", get(views))
        .route("/host/commands", post(command))
        .route("/host/cues", post(cue))
        .layer(middleware::from_fn(guard::only_own_page))
        .with_state(host);
    Ok(axum::serve(listener, router).await?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    key: String,
}

async fn command(State(host): State<Arc<DevHost>>, Json(command): Json<Command>) -> StatusCode {
    done(host.input(Input::Command(command)).await)
}

async fn cue(State(host): State<Arc<DevHost>>, Json(Key { key }): Json<Key>) -> StatusCode {
    match cues::find(&key) {
        Some(cue) => done(host.play(cue).await),
        None => StatusCode::NOT_FOUND,
    }
}

fn done(result: Result<()>) -> StatusCode {
    result.map_or(StatusCode::SERVICE_UNAVAILABLE, |()| StatusCode::NO_CONTENT)
}

/// The present view, then each new one; those between are never missed by anybody.
async fn views(
    State(host): State<Arc<DevHost>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut views = host.view.clone();
    views.mark_changed();
    let events = stream::unfold(views, |mut views| async {
        views.changed().await.ok()?;
        let view = views.borrow_and_update().clone();
        let event = Event::default().event("view").json_data(view);
        let event = event.unwrap_or_else(|_| Event::default().comment("no JSON"));
        Some((Ok(event), views))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
