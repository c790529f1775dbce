//! Nodes and their enrolment.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows};
use eventify_kernel::http::Paging;
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{GateId, NodeId, VenueId};
use serde::{Serialize, Serializer};
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Postgres};
use uuid::Uuid;

use super::bytea;
use crate::contexts::fleet::model::node::{Enrolment, Node, NodeState};

#[derive(Serialize, sqlx::FromRow)]
struct Row {
    node_id: NodeId,
    venue_id: VenueId,
    label: String,
    gates: Vec<GateId>,
    version: i32,
    code_expires_at: DateTime<Utc>,
    #[serde(serialize_with = "serialize_bytea")]
    key_hash: Option<[u8; 32]>,
    certificate_chain: Option<String>,
    certificate_expires_at: Option<DateTime<Utc>>,
    renewal_allowed_until: Option<DateTime<Utc>>,
    enrolled_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

fn serialize_bytea<S: Serializer>(bytes: &Option<[u8; 32]>, to: S) -> Result<S::Ok, S::Error> {
    bytes.as_ref().map(|bytes| bytea(bytes)).serialize(to)
}

fn select<'q>(clause: &str) -> QueryAs<'q, Postgres, Row, PgArguments> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select node_id, venue_id, label, gates, version, code_expires_at, key_hash,
             certificate_chain, certificate_expires_at, renewal_allowed_until, enrolled_at, revoked_at
         from fleet.nodes {clause}"
    )))
}

impl From<&Node> for Row {
    fn from(node: &Node) -> Self {
        let (enrolment, revoked_at) = match &node.state {
            NodeState::Announced => (None, None),
            NodeState::Enrolled(enrolment) => (Some(enrolment), None),
            NodeState::Revoked { at, enrolment } => (enrolment.as_ref(), Some(*at)),
        };
        Self {
            node_id: node.node_id,
            venue_id: node.venue_id,
            label: node.label.clone(),
            gates: node.gates.clone(),
            version: node.version,
            code_expires_at: node.code_expires_at,
            key_hash: enrolment.map(|it| it.key_hash.0),
            certificate_chain: enrolment.map(|it| it.certificate_chain.clone()),
            certificate_expires_at: enrolment.map(|it| it.certificate_expires_at),
            renewal_allowed_until: enrolment.and_then(|it| it.renewal_allowed_until),
            enrolled_at: enrolment.map(|it| it.at),
            revoked_at,
        }
    }
}

impl TryFrom<Row> for Node {
    type Error = DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let enrolment = match (
            row.key_hash,
            row.certificate_chain,
            row.certificate_expires_at,
            row.enrolled_at,
        ) {
            (Some(key_hash), Some(certificate_chain), Some(certificate_expires_at), Some(at)) => {
                Some(Enrolment {
                    key_hash: Hash32(key_hash),
                    certificate_chain,
                    certificate_expires_at,
                    renewal_allowed_until: row.renewal_allowed_until,
                    at,
                })
            }
            (None, None, None, None) => None,
            _ => return Err(DbError::impossible_row("a node is enrolled in part")),
        };
        let state = match (row.revoked_at, enrolment) {
            (Some(at), enrolment) => NodeState::Revoked { at, enrolment },
            (None, Some(enrolment)) => NodeState::Enrolled(enrolment),
            (None, None) => NodeState::Announced,
        };
        Ok(Self {
            node_id: row.node_id,
            venue_id: row.venue_id,
            label: row.label,
            gates: row.gates,
            version: row.version,
            code_expires_at: row.code_expires_at,
            state,
        })
    }
}

#[derive(Serialize)]
struct NewRow {
    #[serde(flatten)]
    node: Row,
    code_hash: String,
    created_by: Uuid,
    created_at: DateTime<Utc>,
}

/// Inserts a new node with the hash of its code.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    node: &Node,
    code: Hash32,
    created_by: Uuid,
    created_at: DateTime<Utc>,
) -> DbResult<()> {
    let row = NewRow {
        node: node.into(),
        code_hash: bytea(&code.0),
        created_by,
        created_at,
    };
    insert_rows(conn, "insert into fleet.nodes", &[row], "").await?;
    Ok(())
}

/// Updates label, gates, state and version of a locked node.
pub(crate) async fn update(
    conn: &mut PgConnection,
    node: &Node,
    revoked_by: Option<Uuid>,
) -> DbResult<()> {
    sqlx::query(
        "update fleet.nodes as stored set label = new.label, gates = new.gates,
             version = new.version, key_hash = new.key_hash,
             certificate_chain = new.certificate_chain,
             certificate_expires_at = new.certificate_expires_at,
             renewal_allowed_until = new.renewal_allowed_until, enrolled_at = new.enrolled_at,
             revoked_at = new.revoked_at, revoked_by = coalesce($2, stored.revoked_by)
         from jsonb_populate_record(null::fleet.nodes, $1) as new
         where stored.node_id = new.node_id",
    )
    .bind(Json(Row::from(node)))
    .bind(revoked_by)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, node: NodeId) -> DbResult<Option<Node>> {
    find_one(conn, select("where node_id = $1").bind(node)).await
}

/// With the row locked to commit: everything that a node does to its journal waits for it here.
pub(crate) async fn lock(conn: &mut PgConnection, node: NodeId) -> DbResult<Option<Node>> {
    find_one(conn, select("where node_id = $1 for update").bind(node)).await
}

/// The node of a code, its row locked to commit.
pub(crate) async fn lock_by_code(conn: &mut PgConnection, code: Hash32) -> DbResult<Option<Node>> {
    find_one(conn, select("where code_hash = $1 for update").bind(code.0)).await
}

async fn find_one(
    conn: &mut PgConnection,
    query: QueryAs<'_, Postgres, Row, PgArguments>,
) -> DbResult<Option<Node>> {
    let row = query.fetch_optional(conn).await?;
    row.map(Node::try_from).transpose()
}

/// A venue's nodes by label.
/// A page of a venue's nodes by label, and how many there are.
pub(crate) async fn list_page(
    conn: &mut PgConnection,
    venue: VenueId,
    paging: Paging,
) -> DbResult<(Vec<Node>, i64)> {
    let query = select("where venue_id = $1 order by label, node_id limit $2 offset $3");
    let query = query.bind(venue).bind(paging.limit()).bind(paging.offset());
    let rows = query.fetch_all(&mut *conn).await?;
    let total = sqlx::query_scalar("select count(*) from fleet.nodes where venue_id = $1")
        .bind(venue)
        .fetch_one(conn)
        .await?;
    let nodes = rows.into_iter().map(Node::try_from);
    Ok((nodes.collect::<DbResult<_>>()?, total))
}

pub(crate) async fn list(conn: &mut PgConnection, venue: VenueId) -> DbResult<Vec<Node>> {
    let query = select("where venue_id = $1 order by label").bind(venue);
    let rows = query.fetch_all(conn).await?;
    rows.into_iter().map(Node::try_from).collect()
}

/// The enrolled nodes whose certificates end before a time, those that end first at the front.
pub(crate) async fn list_ending(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
) -> DbResult<Vec<Node>> {
    let query = select(
        "where certificate_expires_at < $1 and revoked_at is null order by certificate_expires_at",
    )
    .bind(before);
    let rows = query.fetch_all(conn).await?;
    rows.into_iter().map(Node::try_from).collect()
}

/// The nodes in service whose certificates have ended.
pub(crate) async fn list_expired(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> DbResult<Vec<NodeId>> {
    let ids = sqlx::query_scalar(
        "select node_id from fleet.nodes where certificate_expires_at <= $1 and revoked_at is null",
    )
    .bind(now)
    .fetch_all(conn)
    .await?;
    Ok(ids)
}

/// The enrolled nodes of some venues, to which new entries are sent.
pub(crate) async fn list_enrolled(
    conn: &mut PgConnection,
    venues: &[VenueId],
) -> DbResult<Vec<(VenueId, NodeId)>> {
    let rows = sqlx::query_as(
        "select venue_id, node_id from fleet.nodes
         where venue_id = any($1) and enrolled_at is not null and revoked_at is null
         order by node_id",
    )
    .bind(venues)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
