//! Scanners as their nodes last reported them, and the orders about them. Whoever writes here has locked
//! the node's row.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{GateId, NodeId, ScannerId};
use eventify_protocol::sync::{
    ScannerChange, ScannerGates, ScannerOrder, ScannerState, ScannersReport,
};
use eventify_protocol::time::CoreTime;
use uuid::Uuid;

use super::signed;

/// A node's list, as far as it is here whole.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(crate) struct ScannerList {
    pub(crate) revision: i64,
    pub(crate) reported_at: DateTime<Utc>,
}

/// One scanner of it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct ReportedScanner {
    pub(crate) scanner_id: ScannerId,
    pub(crate) label: String,
    /// None means all gates of the node.
    pub(crate) gates: Option<Vec<GateId>>,
    pub(crate) paired_at: Option<DateTime<Utc>>,
    pub(crate) last_seen_at: Option<DateTime<Utc>>,
    /// Kind of the last order that its node has not reported.
    pub(crate) pending: Option<String>,
}

#[derive(sqlx::FromRow)]
struct OrderRow {
    number: i64,
    scanner_id: ScannerId,
    kind: String,
    label: Option<String>,
    all_gates: bool,
    gates: Option<Vec<GateId>>,
}

impl TryFrom<OrderRow> for ScannerOrder {
    type Error = DbError;

    fn try_from(row: OrderRow) -> DbResult<Self> {
        let change = match row.kind.as_str() {
            "unpair" => ScannerChange::Unpair,
            _ => ScannerChange::Edit {
                label: row.label,
                gates: match (row.all_gates, row.gates) {
                    (true, _) => Some(ScannerGates::All),
                    (false, gates) => gates.map(ScannerGates::Only),
                },
            },
        };
        Ok(Self {
            number: u64::try_from(row.number).map_err(DbError::impossible_row)?,
            scanner: row.scanner_id,
            change,
        })
    }
}

pub(crate) async fn find_list(
    conn: &mut PgConnection,
    node: NodeId,
) -> DbResult<Option<ScannerList>> {
    let row =
        sqlx::query_as("select revision, reported_at from fleet.scanner_lists where node_id = $1")
            .bind(node)
            .fetch_optional(conn)
            .await?;
    Ok(row)
}

/// The scanners of the list that is here whole, by label.
pub(crate) async fn list(conn: &mut PgConnection, node: NodeId) -> DbResult<Vec<ReportedScanner>> {
    let rows = sqlx::query_as(
        "select scanner_id, label, gates, paired_at, last_seen_at,
             (select kind from fleet.scanner_orders
              where scanner_orders.node_id = scanners.node_id
                  and scanner_orders.scanner_id = scanners.scanner_id and done_at is null
              order by number desc limit 1) as pending
         from fleet.scanners
         where node_id = $1 and exists (select from fleet.scanner_lists where node_id = $1)
         order by label, scanner_id",
    )
    .bind(node)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Whether the node has reported this scanner.
pub(crate) async fn exists(
    conn: &mut PgConnection,
    node: NodeId,
    scanner: ScannerId,
) -> DbResult<bool> {
    let exists = sqlx::query_scalar(
        "select exists (select from fleet.scanners where node_id = $1 and scanner_id = $2)",
    )
    .bind(node)
    .bind(scanner)
    .fetch_one(conn)
    .await?;
    Ok(exists)
}

/// Stores a part of a list that is not older than what is here.
pub(crate) async fn upsert(
    conn: &mut PgConnection,
    node: NodeId,
    report: &ScannersReport,
) -> DbResult<()> {
    let revision = signed(report.revision)?;
    for scanner in &report.scanners {
        let ScannerState {
            scanner,
            label,
            gates,
            paired_at,
            last_seen,
        } = scanner;
        let gates = match gates {
            ScannerGates::All => None,
            ScannerGates::Only(gates) => Some(gates),
        };
        sqlx::query(
            "insert into fleet.scanners as stored
                 (node_id, scanner_id, revision, label, gates, paired_at, last_seen_at)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (node_id, scanner_id) do update set revision = excluded.revision,
                 label = excluded.label, gates = excluded.gates, paired_at = excluded.paired_at,
                 last_seen_at = excluded.last_seen_at
             where stored.revision <= excluded.revision",
        )
        .bind(node)
        .bind(scanner)
        .bind(revision)
        .bind(label)
        .bind(gates)
        .bind(paired_at.and_then(CoreTime::to_datetime))
        .bind(last_seen.and_then(CoreTime::to_datetime))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// If all parts of a revision are here, it is the list, and who is not part of it is gone. Returns whether
/// it is.
pub(crate) async fn complete(
    conn: &mut PgConnection,
    node: NodeId,
    report: &ScannersReport,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let revision = signed(report.revision)?;
    let here: i64 = sqlx::query_scalar(
        "select count(*) from fleet.scanners where node_id = $1 and revision = $2",
    )
    .bind(node)
    .bind(revision)
    .fetch_one(&mut *conn)
    .await?;
    if here < i64::from(report.total) {
        return Ok(false);
    }
    sqlx::query("delete from fleet.scanners where node_id = $1 and revision < $2")
        .bind(node)
        .bind(revision)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "insert into fleet.scanner_lists (node_id, revision, reported_at) values ($1, $2, $3)
         on conflict (node_id) do update set revision = excluded.revision,
             reported_at = excluded.reported_at",
    )
    .bind(node)
    .bind(revision)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(true)
}

/// The node has carried out its orders up to a number. An unpaired scanner that it reports all the same,
/// because an older disk was put back, is to be unpaired again.
pub(crate) async fn mark_done(
    conn: &mut PgConnection,
    node: NodeId,
    report: &ScannersReport,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let (last, reported) = (
        signed(report.last_order)?,
        super::column(&report.scanners, |scanner| scanner.scanner),
    );
    sqlx::query(
        "update fleet.scanner_orders set done_at = $3
         where node_id = $1 and number <= $2 and done_at is null",
    )
    .bind(node)
    .bind(last)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update fleet.scanner_orders set done_at = null
         where node_id = $1 and number > $2 and kind = 'unpair' and scanner_id = any($3)",
    )
    .bind(node)
    .bind(last)
    .bind(reported)
    .execute(conn)
    .await?;
    Ok(())
}

/// Who orders what, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewOrder<'a> {
    pub(crate) node: NodeId,
    pub(crate) scanner: ScannerId,
    pub(crate) change: &'a ScannerChange,
    pub(crate) by: Uuid,
    pub(crate) at: DateTime<Utc>,
}

/// Inserts an order with the node's next number.
pub(crate) async fn insert_order(conn: &mut PgConnection, order: NewOrder<'_>) -> DbResult<u64> {
    let (kind, label, gates) = match order.change {
        ScannerChange::Unpair => ("unpair", None, None),
        ScannerChange::Edit { label, gates } => ("edit", label.as_ref(), gates.as_ref()),
    };
    let (all_gates, gates) = match gates {
        None => (false, None),
        Some(ScannerGates::All) => (true, None),
        Some(ScannerGates::Only(gates)) => (false, Some(gates)),
    };
    let number: i64 = sqlx::query_scalar(
        "insert into fleet.scanner_orders
             (node_id, number, scanner_id, kind, label, all_gates, gates, ordered_by, ordered_at)
         values ($1, (select coalesce(max(number), 0) + 1 from fleet.scanner_orders where node_id = $1),
             $2, $3, $4, $5, $6, $7, $8)
         returning number",
    )
    .bind(order.node)
    .bind(order.scanner)
    .bind(kind)
    .bind(label)
    .bind(all_gates)
    .bind(gates)
    .bind(order.by)
    .bind(order.at)
    .fetch_one(conn)
    .await?;
    u64::try_from(number).map_err(DbError::impossible_row)
}

/// Orders that a node has not reported, in order.
pub(crate) async fn list_open(
    conn: &mut PgConnection,
    node: NodeId,
    limit: usize,
) -> DbResult<Vec<ScannerOrder>> {
    let rows: Vec<OrderRow> = sqlx::query_as(
        "select number, scanner_id, kind, label, all_gates, gates from fleet.scanner_orders
         where node_id = $1 and done_at is null order by number limit $2",
    )
    .bind(node)
    .bind(i64::try_from(limit).map_err(DbError::impossible_row)?)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(ScannerOrder::try_from).collect()
}

/// Nodes in service that were heard since a moment and have orders that they have not reported.
pub(crate) async fn list_waiting(
    conn: &mut PgConnection,
    heard_since: DateTime<Utc>,
) -> DbResult<Vec<NodeId>> {
    let rows = sqlx::query_scalar(
        "select distinct node_id
         from fleet.scanner_orders join fleet.nodes using (node_id) join fleet.node_health using (node_id)
         where done_at is null and revoked_at is null and seen_at >= $1",
    )
    .bind(heard_since)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
