//! Alarms of all contexts as the API lists them, with the names of their places.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_kernel::alarms::{AlarmRow, State};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{NodeId, VenueId};
use eventify_protocol::zone::TimeZone;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::contexts::fleet::model::alarm::{NODE, VENUE};

/// An alarm as the API lists it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedAlarm {
    alarm_id: Uuid,
    pub(crate) code: String,
    subject: String,
    state: State,
    /// What to do.
    pub(crate) act: String,
    /// `sales`, `gates`: what does not go on while it stands.
    stops: Vec<String>,
    /// `venueId`, `nodeId`, `performanceId`, …
    #[serde(flatten)]
    about: Value,
    pub(crate) venue_name: Option<String>,
    /// Of the venue; UTC where it is about none.
    pub(crate) time_zone: TimeZone,
    pub(crate) node_label: Option<String>,
    /// Of the node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) gates: Vec<String>,
    pub(crate) first_at: DateTime<Utc>,
    pub(crate) last_at: DateTime<Utc>,
    pub(crate) occurrences: i64,
    pub(crate) details: Value,
    acknowledged_at: Option<DateTime<Utc>>,
    acknowledged_by: Option<Uuid>,
    pub(crate) acknowledged_name: Option<String>,
    /// When the fact was over; of one that has happened, when it was acknowledged.
    pub(crate) ended_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct NodePlace {
    node_id: NodeId,
    label: String,
    gates: Vec<String>,
}

/// With the names that people know.
pub(crate) async fn with_names(
    conn: &mut PgConnection,
    alarms: Vec<AlarmRow>,
) -> DbResult<Vec<ListedAlarm>> {
    let ids = |name| alarms.iter().filter_map(move |alarm| alarm.about(name));
    let venues: Vec<_> = ids(VENUE).map(VenueId).collect();
    let nodes: Vec<_> = ids(NODE).map(NodeId).collect();
    let venues: Vec<(VenueId, String, Option<String>)> = sqlx::query_as(
        "select venue_id, name, time_zone from fleet.venues
         where venue_id = any($1) and name is not null",
    )
    .bind(venues)
    .fetch_all(&mut *conn)
    .await?;
    let nodes: Vec<NodePlace> = sqlx::query_as(
        "select node_id, label, array(select name from fleet.gates
             where gate_id = any(nodes.gates) order by name) as gates
         from fleet.nodes where node_id = any($1)",
    )
    .bind(nodes)
    .fetch_all(conn)
    .await?;
    let venues = venues
        .into_iter()
        .map(|(id, name, zone)| (id, (name, zone)));
    let venues: BTreeMap<_, _> = venues.collect();
    let nodes: BTreeMap<_, _> = nodes.into_iter().map(|node| (node.node_id, node)).collect();
    let listed = alarms.into_iter().map(|alarm| {
        let venue = alarm.about(VENUE).and_then(|id| venues.get(&VenueId(id)));
        let node = alarm.about(NODE).and_then(|id| nodes.get(&NodeId(id)));
        ListedAlarm {
            alarm_id: alarm.id,
            state: alarm.state(),
            code: alarm.kind,
            subject: alarm.subject,
            act: alarm.act,
            stops: alarm.stops,
            about: alarm.about,
            venue_name: venue.map(|(name, _)| name.clone()),
            time_zone: TimeZone::or_utc(venue.and_then(|(_, zone)| zone.as_deref())),
            node_label: node.map(|node| node.label.clone()),
            gates: node.map_or_else(Vec::new, |node| node.gates.clone()),
            first_at: alarm.first_at,
            last_at: alarm.last_at,
            occurrences: alarm.occurrences,
            details: alarm.details,
            acknowledged_at: alarm.acknowledged_at,
            acknowledged_by: alarm.acknowledged_by,
            acknowledged_name: alarm.acknowledged_name,
            ended_at: alarm.ended_at,
        }
    });
    Ok(listed.collect())
}
