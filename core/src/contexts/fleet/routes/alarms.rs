//! `/fleet/alarms`.

use axum::extract::State;
use eventify_kernel::alarms::{self as standing, About, Filter, Stops};
use eventify_kernel::http::{Answer, Caller, GivenTime, Json, Paged, Paging, Path, Query};
use eventify_protocol::ids::{NodeId, PerformanceId, VenueId};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::contexts::fleet::acts::{FleetError, alarms as acts};
use crate::contexts::fleet::model::alarm::{NODE, PERFORMANCE, VENUE};
use crate::contexts::fleet::store::alarms::{self, ListedAlarm};
use crate::contexts::fleet::{App, NAME};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wanted {
    state: Option<WantedState>,
    venue_id: Option<VenueId>,
    node_id: Option<NodeId>,
    performance_id: Option<PerformanceId>,
    code: Option<String>,
    /// Only those that stop this.
    stops: Option<Stops>,
    /// Only what has occurred, or ended, since then.
    since: Option<GivenTime>,
    page: Option<u32>,
    size: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum WantedState {
    /// What stands, acknowledged or not.
    #[default]
    Standing,
    Open,
    Acknowledged,
    Ended,
    All,
}

impl WantedState {
    fn states(self) -> Option<Vec<standing::State>> {
        use standing::State::{Acknowledged, Ended, Open};
        Some(match self {
            Self::Standing => vec![Open, Acknowledged],
            Self::Open => vec![Open],
            Self::Acknowledged => vec![Acknowledged],
            Self::Ended => vec![Ended],
            Self::All => return None,
        })
    }
}

impl Wanted {
    fn filter(self, visible: Option<Vec<String>>) -> Filter {
        let mut about = About::new();
        let ids = [
            (VENUE, self.venue_id.map(|id| id.to_string())),
            (NODE, self.node_id.map(|id| id.to_string())),
            (PERFORMANCE, self.performance_id.map(|id| id.to_string())),
        ];
        about.extend(ids.into_iter().filter_map(|(name, id)| Some((name, id?))));
        Filter {
            visible,
            about,
            kind: self.code,
            stops: self.stops,
            states: self.state.unwrap_or_default().states(),
            since: self.since.map(|GivenTime(since)| since),
        }
    }
}

/// Those that stand first, then the newest.
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Answer<Json<Paged<ListedAlarm>>> {
    let paging = Paging::of(wanted.page, wanted.size)?;
    let mut conn = app.db.read(NAME).await?;
    let visible = acts::visible(&mut conn, caller.principal()?).await?;
    drop(conn);
    let window = (paging.offset(), paging.limit());
    let (rows, total) = standing::list(&app, &wanted.filter(visible), window).await?;
    let mut conn = app.db.read(NAME).await?;
    let items = alarms::with_names(&mut conn, rows).await?;
    Ok(Json(paging.answer(items, total)))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Acknowledge {
    /// How often the alarm had occurred when it was read: ends one that has happened, unless it has occurred
    /// again (412). Left out: it is taken up, and stays.
    occurrences: Option<i64>,
    /// Who takes it up, as people know them; left out: the account's name at its provider.
    name: Option<String>,
}

pub(super) async fn acknowledge(
    State(app): State<App>,
    caller: Caller,
    Path(alarm): Path<Uuid>,
    Json(by): Json<Acknowledge>,
) -> Answer<Json<ListedAlarm>> {
    let which = (alarm, by.occurrences);
    let alarm = acts::acknowledge(&app, caller.principal()?, which, by.name.as_deref()).await?;
    let mut conn = app.db.read(NAME).await?;
    let mut listed = alarms::with_names(&mut conn, vec![alarm]).await?;
    Ok(Json(listed.pop().ok_or(FleetError::AlarmNotFound)?))
}
