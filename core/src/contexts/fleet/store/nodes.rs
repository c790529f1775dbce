//! Nodes and their enrolment.

use chrono::{DateTime, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{GateId, NodeId, VenueId};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{hash, uuids};
use crate::contexts::fleet::model::node::{Enrolment, Node, Standing};
use eventify_kernel::db::{DbError, DbResult, PgConnection};

const COLUMNS: &str = "node_id, venue_id, label, gates, version, code_expires_at, key_hash, \
     certificate_chain, certificate_expires_at, enrolled_at, revoked_at";

#[derive(sqlx::FromRow)]
struct Row {
    node_id: Uuid,
    venue_id: Uuid,
    label: String,
    gates: Vec<Uuid>,
    version: i32,
    code_expires_at: DateTime<Utc>,
    key_hash: Option<Vec<u8>>,
    certificate_chain: Option<String>,
    certificate_expires_at: Option<DateTime<Utc>>,
    enrolled_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl Row {
    fn node(self) -> DbResult<Node> {
        let enrolment = match (
            self.key_hash,
            self.certificate_chain,
            self.certificate_expires_at,
            self.enrolled_at,
        ) {
            (Some(key), Some(certificate_chain), Some(certificate_expires_at), Some(at)) => {
                let key_hash = hash(&key)?;
                Some(Enrolment {
                    key_hash,
                    certificate_chain,
                    certificate_expires_at,
                    at,
                })
            }
            (None, None, None, None) => None,
            _ => return Err(DbError::impossible_row("a node is enrolled in part")),
        };
        let standing = match (self.revoked_at, enrolment) {
            (Some(at), enrolment) => Standing::Revoked { at, enrolment },
            (None, Some(enrolment)) => Standing::Enrolled(enrolment),
            (None, None) => Standing::Announced,
        };
        Ok(Node {
            node_id: NodeId(self.node_id),
            venue_id: VenueId(self.venue_id),
            label: self.label,
            gates: self.gates.into_iter().map(GateId).collect(),
            version: self.version,
            code_expires_at: self.code_expires_at,
            standing,
        })
    }
}

/// Enters a new node with the hash of its code.
pub(crate) async fn announce(
    conn: &mut PgConnection,
    node: &Node,
    code: Hash32,
    by: Uuid,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into nodes (node_id, venue_id, label, gates, version, created_at, created_by,
             code_hash, code_expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(node.node_id.as_uuid())
    .bind(node.venue_id.as_uuid())
    .bind(&node.label)
    .bind(uuids(&node.gates))
    .bind(node.version)
    .bind(now)
    .bind(by)
    .bind(code.0.as_slice())
    .bind(node.code_expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, node: NodeId) -> DbResult<Option<Node>> {
    one(conn, "where node_id = $1", node.as_uuid()).await
}

/// With the row locked to commit: everything that a node does to its journal queues up here.
pub(crate) async fn lock(conn: &mut PgConnection, node: NodeId) -> DbResult<Option<Node>> {
    one(conn, "where node_id = $1 for update", node.as_uuid()).await
}

async fn one(conn: &mut PgConnection, clause: &str, id: Uuid) -> DbResult<Option<Node>> {
    let query = AssertSqlSafe(format!("select {COLUMNS} from nodes {clause}"));
    let row: Option<Row> = sqlx::query_as(query).bind(id).fetch_optional(conn).await?;
    row.map(Row::node).transpose()
}

/// The node whose code this is, its row locked to commit.
pub(crate) async fn lock_by_code(conn: &mut PgConnection, code: Hash32) -> DbResult<Option<Node>> {
    let query = AssertSqlSafe(format!(
        "select {COLUMNS} from nodes where code_hash = $1 for update"
    ));
    let row: Option<Row> = sqlx::query_as(query)
        .bind(code.0.as_slice())
        .fetch_optional(conn)
        .await?;
    row.map(Row::node).transpose()
}

/// A venue's nodes by label.
pub(crate) async fn of_venue(conn: &mut PgConnection, venue: VenueId) -> DbResult<Vec<Node>> {
    let query = AssertSqlSafe(format!(
        "select {COLUMNS} from nodes where venue_id = $1 order by label"
    ));
    let rows: Vec<Row> = sqlx::query_as(query)
        .bind(venue.as_uuid())
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(Row::node).collect()
}

/// The nodes of some venues that are to be told news.
pub(crate) async fn listening(
    conn: &mut PgConnection,
    venues: &[VenueId],
) -> DbResult<Vec<(VenueId, NodeId)>> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "select venue_id, node_id from nodes
         where venue_id = any($1) and enrolled_at is not null and revoked_at is null
         order by node_id",
    )
    .bind(uuids(venues))
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(venue, node)| (VenueId(venue), NodeId(node)))
        .collect())
}

/// Writes label, gates, standing and version of a locked node.
pub(crate) async fn save(
    conn: &mut PgConnection,
    node: &Node,
    revoked_by: Option<Uuid>,
) -> DbResult<()> {
    let (enrolment, revoked_at) = match &node.standing {
        Standing::Announced => (None, None),
        Standing::Enrolled(enrolment) => (Some(enrolment), None),
        Standing::Revoked { at, enrolment } => (enrolment.as_ref(), Some(at)),
    };
    sqlx::query(
        "update nodes set label = $2, gates = $3, version = $4, key_hash = $5,
             certificate_chain = $6, certificate_expires_at = $7, enrolled_at = $8,
             revoked_at = $9, revoked_by = $10
         where node_id = $1",
    )
    .bind(node.node_id.as_uuid())
    .bind(&node.label)
    .bind(uuids(&node.gates))
    .bind(node.version)
    .bind(enrolment.map(|it| it.key_hash.0.to_vec()))
    .bind(enrolment.map(|it| it.certificate_chain.as_str()))
    .bind(enrolment.map(|it| it.certificate_expires_at))
    .bind(enrolment.map(|it| it.at))
    .bind(revoked_at)
    .bind(revoked_by)
    .execute(conn)
    .await?;
    Ok(())
}
