//! What the double lists: two objects a page.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::{Fields, Shared};

const PAGE: usize = 2;

pub(super) async fn intents(State(world): State<Shared>, Query(query): Query<Fields>) -> Response {
    let mut world = world.lock();
    let page = page(&world.intents, &query);
    world.read(Some(page))
}

pub(super) async fn disputes(State(world): State<Shared>, Query(query): Query<Fields>) -> Response {
    let mut world = world.lock();
    let page = page(&world.disputes, &query);
    world.read(Some(page))
}

pub(super) async fn show_dispute(State(world): State<Shared>, Path(id): Path<String>) -> Response {
    let mut world = world.lock();
    let dispute = world.disputes.get(&id).cloned();
    world.read(dispute)
}

/// Those of an intent on one page, or all, page by page.
pub(super) async fn refunds(State(world): State<Shared>, Query(query): Query<Fields>) -> Response {
    let mut world = world.lock();
    let listed = match query.get("payment_intent") {
        None => page(&world.refunds, &query),
        Some(intent) => {
            let of_intent = world
                .refunds
                .values()
                .filter(|it| it["payment_intent"] == *intent);
            json!({ "object": "list", "data": of_intent.collect::<Vec<_>>() })
        }
    };
    world.read(Some(listed))
}

fn page(all: &BTreeMap<String, Value>, query: &Fields) -> Value {
    assert!(query.contains_key("created[gte]"), "{query:?}");
    let after = query.get("starting_after").map_or("", String::as_str);
    let rest: Vec<_> = all.iter().filter(|(id, _)| id.as_str() > after).collect();
    let data: Vec<_> = rest.iter().take(PAGE).map(|(_, object)| object).collect();
    json!({ "object": "list", "data": data, "has_more": rest.len() > PAGE })
}
