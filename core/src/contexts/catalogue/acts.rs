//! Seat maps: made once per version, sent to many (DECISIONS 46).

use std::sync::PoisonError;
use std::time::Duration;

use eventify_contracts::inventory::LaidOutSeat;
use eventify_kernel::db::{DbError, PgConnection};
use eventify_kernel::http::{Representation, Unwritable};
use eventify_protocol::ids::PerformanceId;
use tokio::sync::MutexGuard;

use super::model::maps::{Found, Made, MapVersion};
use super::model::{Availability, Changes, Performance};
use super::store::read;
use super::{App, NAME};

/// Longest wait for the maps that are made before this one.
const MAKING_TIMEOUT: Duration = Duration::from_secs(2);
/// Seats that have changed, in one answer; beyond, the whole map says it shorter.
const MAX_CHANGES: i64 = 2_000;

/// Why there is no map.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("there is no such performance")]
    Unknown,
    #[error("many seat maps are being made at this moment; try again in a second")]
    Busy,
    #[error(transparent)]
    NotMade(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The map as it is, or for a large hall as it was a moment ago.
pub(super) async fn seat_map(app: &App, id: PerformanceId) -> Result<Representation, Error> {
    let mut conn = app.db.read(NAME).await?;
    let (_, wanted) = find(app, &mut conn, id).await?;
    drop(conn);
    match kept(app, id, wanted) {
        Found::Good(map) => Ok(map),
        Found::Outdated(map) => match app.state.making.try_lock() {
            Ok(turn) => make(app, id, turn).await,
            Err(_) => Ok(map),
        },
        Found::Nothing => {
            let turn = tokio::time::timeout(MAKING_TIMEOUT, app.state.making.lock()).await;
            let turn = turn.map_err(|_| Error::Busy)?;
            match kept(app, id, wanted) {
                Found::Good(map) => Ok(map),
                Found::Outdated(_) | Found::Nothing => make(app, id, turn).await,
            }
        }
    }
}

/// What has changed since a version, if that is known and not too much.
pub(super) async fn changes(
    app: &App,
    id: PerformanceId,
    since: i64,
) -> Result<Option<Changes>, Error> {
    let mut conn = app.db.read(NAME).await?;
    // Before the seats: what is missing in the number is at worst shown twice.
    let (_, version) = find(app, &mut conn, id).await?;
    if since > version.number || !read::knows_changes_since(&mut conn, id, since).await? {
        return Ok(None);
    }
    let seats = read::list_changed_seats(&mut conn, (id, since), MAX_CHANGES + 1).await?;
    let fits = i64::try_from(seats.len()).is_ok_and(|seats| seats <= MAX_CHANGES);
    let zones = read::list_zones(&mut conn, id).await?;
    Ok(fits.then(|| Changes::of(id, since, version, seats, zones)))
}

fn kept(app: &App, id: PerformanceId, wanted: MapVersion) -> Found<Representation> {
    let mut maps = app
        .state
        .maps
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    maps.find(id, wanted, app.clock.instant())
}

async fn find(
    app: &App,
    conn: &mut PgConnection,
    id: PerformanceId,
) -> Result<(Performance, MapVersion), Error> {
    let found = read::find_map_version(conn, id).await?;
    let (performance, number, published) = found.ok_or(Error::Unknown)?;
    let version = performance.map_version(number, published, app.clock.now());
    Ok((performance, version))
}

/// Makes a map and keeps it. One at a time in a process, and beside its other work: a stadium's takes
/// a tenth of a second of a processor.
async fn make(
    app: &App,
    id: PerformanceId,
    turn: MutexGuard<'_, ()>,
) -> Result<Representation, Error> {
    let mut conn = app.db.read(NAME).await?;
    // Before the seats: a map that shows more than its version says is made anew once too often.
    let (performance, version) = find(app, &mut conn, id).await?;
    let parts = read::list_seating(&mut conn, id).await?;
    let taken = read::list_taken_seats(&mut conn, id).await?;
    let zones = read::list_zones(&mut conn, id).await?;
    drop(conn);
    let made = tokio::task::spawn_blocking(move || {
        let mut seats = Vec::new();
        for part in parts {
            let part: Vec<LaidOutSeat> =
                serde_json::from_str(&part).map_err(DbError::impossible_row)?;
            seats.extend(part);
        }
        let count = seats.len();
        let availability = Availability::of(performance, version, seats, &taken, zones);
        Ok::<_, Error>((Representation::json(&availability)?, count))
    });
    let (map, seats) = made.await??;
    let made = Made {
        map: map.clone(),
        version,
        seats,
        bytes: map.bytes(),
        at: app.clock.instant(),
    };
    let mut maps = app
        .state
        .maps
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    maps.insert(id, made);
    drop(turn);
    Ok(map)
}
