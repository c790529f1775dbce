//! Check-ins, and the columns that they share with conflicts.

use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{CheckInId, GateId, IncarnationId, NodeId, ScanId, TicketId};
use eventify_protocol::time::{CoreInterval, CoreTime};
use eventify_sync::core::{CheckIn, Evidence, JournalRef};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{column, signed, unsigned};
use crate::contexts::ticketing::model::Ticket;

/// The columns of an [`EntryRow`].
pub(super) const COLUMNS: &str = "entry.scan_id as entry_scan_id, \
    entry.gate_id as entry_gate_id, entry.node_id as entry_node_id, entry.earliest, entry.latest, \
    entry.evidence, entry.overridden, entry.journal_incarnation, entry.journal_seq, \
    coalesce(entry.order_unknown, false) as order_unknown";

/// An entry: a check-in, or a conflict as JSON.
#[derive(FromRow, Serialize, Deserialize)]
pub(super) struct EntryRow {
    #[sqlx(rename = "entry_scan_id")]
    pub(super) scan_id: ScanId,
    #[sqlx(rename = "entry_gate_id")]
    pub(super) gate_id: GateId,
    #[sqlx(rename = "entry_node_id")]
    pub(super) node_id: Option<NodeId>,
    pub(super) earliest: i64,
    pub(super) latest: i64,
    pub(super) evidence: String,
    /// Of what a journal has shown: a supervisor let the guest in.
    pub(super) overridden: bool,
    pub(super) journal_incarnation: Option<IncarnationId>,
    pub(super) journal_seq: Option<i64>,
}

impl TryFrom<EntryRow> for CheckIn {
    type Error = DbError;

    fn try_from(row: EntryRow) -> DbResult<Self> {
        let journal = (row.node_id, row.journal_incarnation, row.journal_seq);
        let evidence = match (row.evidence.as_str(), journal) {
            ("unconfirmed", (_, None, None)) => Evidence::Unconfirmed,
            ("api", (_, None, None)) => Evidence::Api,
            ("journal", (Some(node), Some(incarnation), Some(seq))) => {
                let source = JournalRef {
                    node,
                    incarnation,
                    seq: unsigned(seq)?,
                };
                if row.overridden {
                    Evidence::Override(source)
                } else {
                    Evidence::Journal(source)
                }
            }
            _ => return Err(DbError::impossible_row("an entry of no known evidence")),
        };
        Ok(Self {
            scan: row.scan_id,
            gate: row.gate_id,
            node: row.node_id,
            at: CoreInterval {
                earliest: CoreTime(row.earliest),
                latest: CoreTime(row.latest),
            },
            evidence,
        })
    }
}

impl TryFrom<&CheckIn> for EntryRow {
    type Error = DbError;

    fn try_from(entry: &CheckIn) -> DbResult<Self> {
        let (evidence, source) = match entry.evidence {
            Evidence::Unconfirmed => ("unconfirmed", None),
            Evidence::Api => ("api", None),
            Evidence::Journal(source) | Evidence::Override(source) => ("journal", Some(source)),
        };
        Ok(Self {
            scan_id: entry.scan,
            gate_id: entry.gate,
            node_id: entry.node,
            earliest: entry.at.earliest.0,
            latest: entry.at.latest.0,
            evidence: evidence.to_owned(),
            overridden: entry.is_override(),
            journal_incarnation: source.map(|source| source.incarnation),
            journal_seq: source.map(|source| signed(source.seq)).transpose()?,
        })
    }
}

/// Writes the check-ins of tickets that this transaction has locked: new, changed, or gone.
pub(crate) async fn replace_check_ins(
    conn: &mut PgConnection,
    tickets: &[Ticket],
    id: impl Fn() -> CheckInId,
) -> DbResult<()> {
    let (used, free): (Vec<&Ticket>, Vec<&Ticket>) =
        tickets.iter().partition(|it| it.check_in.is_some());
    if !free.is_empty() {
        sqlx::query(
            "delete from ticketing.checkins as entry
             using unnest($1::uuid[], $2::int[]) as free (ticket_id, passage)
             where entry.ticket_id = free.ticket_id and entry.passage = free.passage",
        )
        .bind(column(&free, |it| it.id))
        .bind(column(&free, |it| it.passage))
        .execute(&mut *conn)
        .await?;
    }
    let rows = used.iter().filter_map(|it| {
        let entry = it.check_in?;
        Some((it.id, it.passage, entry, it.order_unknown))
    });
    upsert_check_ins(conn, &rows.collect::<Vec<_>>(), id).await
}

/// Check-ins of tickets' passages, with whether they may not have been the first.
pub(super) async fn upsert_check_ins(
    conn: &mut PgConnection,
    check_ins: &[(TicketId, i32, CheckIn, bool)],
    id: impl Fn() -> CheckInId,
) -> DbResult<()> {
    if check_ins.is_empty() {
        return Ok(());
    }
    let entries = check_ins
        .iter()
        .map(|(_, _, entry, _)| EntryRow::try_from(entry));
    let entries = entries.collect::<DbResult<Vec<_>>>()?;
    sqlx::query(
        "insert into ticketing.checkins (checkin_id, ticket_id, passage, scan_id, gate_id, node_id,
             earliest, latest, evidence, journal_incarnation, journal_seq, order_unknown, overridden)
         select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::uuid[], $6::uuid[],
             $7::bigint[], $8::bigint[], $9::text[], $10::uuid[], $11::bigint[], $12::bool[], $13::bool[])
         on conflict (ticket_id, passage) do update set scan_id = excluded.scan_id,
             gate_id = excluded.gate_id, node_id = excluded.node_id, earliest = excluded.earliest,
             latest = excluded.latest, evidence = excluded.evidence,
             journal_incarnation = excluded.journal_incarnation,
             journal_seq = excluded.journal_seq, order_unknown = excluded.order_unknown,
             overridden = excluded.overridden",
    )
    .bind(column(check_ins, |_| id()))
    .bind(column(check_ins, |(ticket, ..)| *ticket))
    .bind(column(check_ins, |(_, passage, ..)| *passage))
    .bind(column(&entries, |it| it.scan_id))
    .bind(column(&entries, |it| it.gate_id))
    .bind(column(&entries, |it| it.node_id))
    .bind(column(&entries, |it| it.earliest))
    .bind(column(&entries, |it| it.latest))
    .bind(column(&entries, |it| it.evidence.as_str()))
    .bind(column(&entries, |it| it.journal_incarnation))
    .bind(column(&entries, |it| it.journal_seq))
    .bind(column(check_ins, |(.., order_unknown)| *order_unknown))
    .bind(column(&entries, |it| it.overridden))
    .execute(conn)
    .await?;
    Ok(())
}
