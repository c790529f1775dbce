//! `POST /v1/searches`: finds guests by name, order or seat, for supervisors and the box office. The row is on
//! disk before anybody is shown.

use std::sync::Arc;

use axum::{Extension, Json, body::Bytes, extract::State};
use eventify_protocol::{
    hash::Hash32,
    lan::{SEARCH_CHARS, SearchAnswer, SearchRequest},
    staff::StaffRole,
};
use eventify_sync::edge::SearchRecord;

use super::scans::must_be_its_gate;
use crate::lan::{
    Lan,
    auth::Caller,
    error::ApiError,
    guests::{Begun, Query, find},
    locked, request,
};

pub(super) async fn search(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<SearchAnswer>, ApiError> {
    let request: SearchRequest = request::json(&body)?;
    must_be_its_gate(&lan, &caller, request.gate_id)?;
    let text = request.text.trim();
    let chars = text.chars().count();
    if !SEARCH_CHARS.contains(&chars) {
        return Err(ApiError::BadSearchText { chars });
    }
    let word = request.authorisation.as_deref();
    let person = lan.who_acts(caller.scanner, word, StaffRole::finds_guests)?;
    let insight = lan.owner.insight().await?;
    if !insight.allows_search {
        return Err(ApiError::SearchOff);
    }
    let content = Hash32::of(&[caller.scanner.as_uuid().as_bytes(), &body[..]].concat());
    let now = lan.clock.boottime();
    let begun = locked(&lan.searches).begin((request.search_id, content), person.person_id, now);
    match begun {
        Begun::Search => {}
        Begun::Answered(answer) => return Ok(Json(*answer)),
        Begun::IdReused => return Err(ApiError::SearchIdConflict),
        Begun::TooMany(wait) => return Err(ApiError::TooManySearches(wait)),
    }
    let query = Query {
        by: request.by,
        text: text.to_owned(),
        performance: request.performance_id,
    };
    let (found, _) = lan
        .read(move |reader, insight| find(reader, insight, &query))
        .await?;
    let record = SearchRecord {
        search: request.search_id,
        person: person.person_id,
        scanner: caller.scanner,
        gate: request.gate_id,
        by: request.by,
        performance: request.performance_id,
        tickets: found.matches.iter().map(|it| it.ticket_id).collect(),
        more: found.more,
    };
    let recorded = lan.owner.record_search(record).await?;
    let cache_age = recorded
        .cache_age
        .map(|age| age.as_nanos().div_ceil(1_000_000));
    let answer = SearchAnswer {
        search_id: request.search_id,
        person_id: person.person_id,
        matches: found.matches,
        more: found.more,
        cache_age_ms: cache_age.map(|age| u64::try_from(age).unwrap_or(u64::MAX)),
    };
    locked(&lan.searches).answered(content, &answer, lan.clock.boottime());
    Ok(Json(answer))
}
