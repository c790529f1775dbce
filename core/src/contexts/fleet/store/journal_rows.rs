//! Journal rows: their exact bytes, which prove the chain, and decoded columns, which answer
//! questions.

use chrono::{DateTime, Datelike as _, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows};
use eventify_kernel::http::Paging;
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{
    ActId, GateId, IncarnationId, NodeId, PerformanceId, PersonId, ScanId, ScannerId, TicketId,
    VenueId,
};
use eventify_protocol::lan::ReasonCode;
use eventify_protocol::sync::{ActBy, Decision, JournalEntry, SealedRow};
use eventify_protocol::time::WallTime;
use eventify_protocol::verdict::DecidedBy;
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;

use super::{bytea, signed};
use crate::contexts::fleet::model::health::mode_name;

#[derive(Default, Serialize)]
struct Row {
    node_id: Option<NodeId>,
    incarnation: Option<IncarnationId>,
    seq: u64,
    hash: String,
    bytes: String,
    kind: &'static str,
    wall_at: Option<DateTime<Utc>>,
    core_earliest: Option<i64>,
    core_latest: Option<i64>,
    scan_id: Option<ScanId>,
    scanner_id: Option<ScannerId>,
    gate_id: Option<GateId>,
    ticket_id: Option<TicketId>,
    performance_id: Option<PerformanceId>,
    verdict: Option<&'static str>,
    mode: Option<&'static str>,
    decided_by: Option<&'static str>,
    cache_age_ms: Option<u64>,
    point_position: Option<u64>,
    point_truth: Option<i64>,
    voids_seq: Option<u64>,
    act_id: Option<ActId>,
    person_id: Option<PersonId>,
    reason: Option<&'static str>,
}

/// A node may count further, and its clock may stand anywhere: the exact bytes are kept all the same.
const MOST: u64 = i64::MAX.cast_unsigned();

/// `None` for a time in no calendar.
fn wall_at(wall: WallTime) -> Option<DateTime<Utc>> {
    let at = DateTime::from_timestamp_micros(wall.0)?;
    (1..10_000).contains(&at.year()).then_some(at)
}

impl Row {
    fn of(node: NodeId, sealed: &SealedRow) -> Self {
        let row = sealed.row();
        let common = Self {
            node_id: Some(node),
            incarnation: Some(row.incarnation),
            seq: row.seq,
            hash: bytea(&sealed.hash().0),
            bytes: bytea(sealed.bytes()),
            wall_at: wall_at(row.at.wall),
            core_earliest: row.at.core.map(|core| core.earliest.0),
            core_latest: row.at.core.map(|core| core.latest.0),
            ..Self::default()
        };
        let common = common.with_act(row.entry.act());
        match &row.entry {
            JournalEntry::Overridden(_)
            | JournalEntry::Undone(_)
            | JournalEntry::Left(_)
            | JournalEntry::GateChanged(_) => common.of_act(&row.entry),
            JournalEntry::Opened { .. } => Self {
                kind: "opened",
                ..common
            },
            JournalEntry::Decision(decision) => common.of_decision(decision),
            JournalEntry::RefusedAgain { scan, .. } => Self {
                kind: "refused_again",
                scan_id: Some(*scan),
                ..common
            },
            JournalEntry::Unreadable {
                scanner,
                gate,
                mode,
                ..
            } => Self {
                kind: "unreadable",
                scanner_id: Some(*scanner),
                gate_id: Some(*gate),
                mode: Some(mode_name(*mode)),
                ..common
            },
            JournalEntry::Searched(searched) => Self {
                kind: "searched",
                person_id: Some(searched.person),
                scanner_id: Some(searched.scanner),
                gate_id: Some(searched.gate),
                performance_id: searched.performance,
                mode: Some(mode_name(searched.mode)),
                ..common
            },
            JournalEntry::Voided { row, scan, .. } => Self {
                kind: "voided",
                scan_id: Some(*scan),
                voids_seq: Some(*row.min(&MOST)),
                ..common
            },
        }
    }
}

impl Row {
    fn of_decision(self, decision: &Decision) -> Self {
        Self {
            kind: "decision",
            scan_id: Some(decision.scan),
            scanner_id: Some(decision.scanner),
            gate_id: Some(decision.gate),
            ticket_id: decision.ticket,
            performance_id: decision.performance,
            verdict: Some(decision.verdict.name()),
            mode: Some(mode_name(decision.mode)),
            decided_by: Some(match decision.decided_by {
                DecidedBy::Core => "core",
                DecidedBy::Edge => "edge",
            }),
            cache_age_ms: decision.cache_age_ms.map(|it| it.min(MOST)),
            point_position: decision.point.map(|point| point.position.0.min(MOST)),
            point_truth: decision.point.map(|point| point.truth.0),
            person_id: decision.person,
            ..self
        }
    }

    fn of_act(self, entry: &JournalEntry) -> Self {
        let (kind, about) = match entry {
            JournalEntry::Overridden(act) => {
                let age = act.cache_age_ms.map(|it| it.min(MOST));
                let about = (act.scan, act.ticket, act.performance);
                let row = Self {
                    cache_age_ms: age,
                    ..self
                };
                return row.about("overridden", Some(about));
            }
            JournalEntry::Undone(act) => ("undone", (act.scan, act.ticket, act.performance)),
            JournalEntry::Left(act) => ("left", (act.entry, act.ticket, act.performance)),
            JournalEntry::GateChanged(_) => return self.about("gate_changed", None),
            JournalEntry::Opened { .. }
            | JournalEntry::Decision(_)
            | JournalEntry::Voided { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_) => return self,
        };
        self.about(kind, Some(about))
    }

    fn about(self, kind: &'static str, about: Option<(ScanId, TicketId, PerformanceId)>) -> Self {
        Self {
            kind,
            scan_id: about.map(|it| it.0),
            ticket_id: about.map(|it| it.1),
            performance_id: about.map(|it| it.2),
            ..self
        }
    }

    /// Who did it, where and why.
    fn with_act(self, by: Option<&ActBy>) -> Self {
        let Some(by) = by else {
            return self;
        };
        Self {
            act_id: Some(by.act),
            person_id: Some(by.person),
            scanner_id: Some(by.scanner),
            gate_id: Some(by.gate),
            mode: Some(mode_name(by.mode)),
            reason: by.reason.as_ref().map(|reason| reason_name(reason.code)),
            ..self
        }
    }
}

/// As in JSON.
fn reason_name(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::NotInside => "notInside",
        ReasonCode::LeftWithoutScan => "leftWithoutScan",
        ReasonCode::WrongTicket => "wrongTicket",
        ReasonCode::StaysOutside => "staysOutside",
        ReasonCode::EarlyEntry => "earlyEntry",
        ReasonCode::MoreHands => "moreHands",
        ReasonCode::Other => "other",
    }
}

/// Inserts rows that follow the stored end.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    node: NodeId,
    rows: &[SealedRow],
) -> DbResult<()> {
    let rows: Vec<_> = rows.iter().map(|row| Row::of(node, row)).collect();
    insert_rows(conn, "insert into fleet.journal_rows", &rows, "").await?;
    Ok(())
}

/// The hash of a stored row.
pub(crate) async fn hash_at(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
    seq: u64,
) -> DbResult<Option<Hash32>> {
    let hash: Option<[u8; 32]> = sqlx::query_scalar(
        "select hash from fleet.journal_rows
         where node_id = $1 and incarnation = $2 and seq = $3",
    )
    .bind(node)
    .bind(incarnation)
    .bind(signed(seq)?)
    .fetch_optional(conn)
    .await?;
    Ok(hash.map(Hash32))
}

/// Stores rows that contradict the chain; true if any of them is new.
pub(crate) async fn insert_forks(
    conn: &mut PgConnection,
    (node, incarnation): (NodeId, IncarnationId),
    rows: &[(u64, &[u8])],
) -> DbResult<bool> {
    let seqs = rows.iter().map(|(seq, _)| signed(*seq));
    let hashes = rows.iter().map(|(_, bytes)| Hash32::of(bytes).0);
    let done = sqlx::query(
        "insert into fleet.journal_forks (node_id, incarnation, seq, hash, bytes)
         select $1, $2, seq, hash, bytes
         from unnest($3::bigint[], $4::bytea[], $5::bytea[]) as row (seq, hash, bytes)
         on conflict do nothing",
    )
    .bind(node)
    .bind(incarnation)
    .bind(seqs.collect::<DbResult<Vec<_>>>()?)
    .bind(hashes.collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Room that a node's contradicting rows of the last day take, with what a row costs beside its bytes.
pub(crate) async fn evidence_of_day(conn: &mut PgConnection, node: NodeId) -> DbResult<i64> {
    let bytes = sqlx::query_scalar(
        "select coalesce(sum(octet_length(bytes) + 200), 0)::bigint from fleet.journal_forks
         where node_id = $1 and received_at > now() - interval '1 day'",
    )
    .bind(node)
    .fetch_one(conn)
    .await?;
    Ok(bytes)
}

/// A row as the API lists it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Listed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) outcome: Option<Json<Value>>,
}

/// A page of a node's rows, in their order.
pub(crate) async fn list(
    conn: &mut PgConnection,
    node: NodeId,
    paging: Paging,
) -> DbResult<(Vec<Listed>, i64)> {
    let rows = sqlx::query_as(
        "select bytes, received_at, outcome
         from fleet.journal_rows as stored join fleet.journals using (node_id, incarnation)
         where node_id = $1 order by file_number, stored.seq offset $2 limit $3",
    )
    .bind(node)
    .bind(paging.offset())
    .bind(paging.limit())
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar("select count(*) from fleet.journal_rows where node_id = $1")
        .bind(node)
        .fetch_one(conn)
        .await?;
    Ok((rows, total))
}

/// A search as the API lists it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct ListedSearch {
    pub(crate) node_id: NodeId,
    pub(crate) bytes: Vec<u8>,
    pub(crate) wall_at: Option<DateTime<Utc>>,
    pub(crate) received_at: DateTime<Utc>,
}

/// A page of a venue's searches, newest first.
pub(crate) async fn list_searches(
    conn: &mut PgConnection,
    venue: VenueId,
    paging: Paging,
) -> DbResult<(Vec<ListedSearch>, i64)> {
    let rows = sqlx::query_as(
        "select node_id, bytes, wall_at, received_at
         from fleet.journal_rows join fleet.nodes using (node_id)
         where venue_id = $1 and kind = 'searched'
         order by received_at desc, seq desc offset $2 limit $3",
    )
    .bind(venue)
    .bind(paging.offset())
    .bind(paging.limit())
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(
        "select count(*) from fleet.journal_rows join fleet.nodes using (node_id)
         where venue_id = $1 and kind = 'searched'",
    )
    .bind(venue)
    .fetch_one(conn)
    .await?;
    Ok((rows, total))
}

/// All rows of a venue's nodes that were received in a span of time, node by node, in their order.
pub(crate) async fn list_received(
    conn: &mut PgConnection,
    venue: VenueId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> DbResult<Vec<(NodeId, Vec<SealedRow>)>> {
    let rows: Vec<(NodeId, Vec<u8>)> = sqlx::query_as(
        "select node_id, bytes
         from fleet.journal_rows as stored join fleet.journals using (node_id, incarnation)
             join fleet.nodes using (node_id)
         where venue_id = $1 and received_at >= $2 and received_at < $3
         order by node_id, file_number, stored.seq",
    )
    .bind(venue)
    .bind(from)
    .bind(to)
    .fetch_all(conn)
    .await?;
    let mut by_node: Vec<(NodeId, Vec<SealedRow>)> = Vec::new();
    for (node, bytes) in rows {
        let row = SealedRow::read(&bytes).map_err(DbError::impossible_row)?;
        match by_node.last_mut() {
            Some((last, rows)) if *last == node => rows.push(row),
            Some(_) | None => by_node.push((node, vec![row])),
        }
    }
    Ok(by_node)
}
