//! Passages of tickets that are over: when and by what. Their check-ins and conflicts stay in the tables of
//! these, under the passage's number.

use std::collections::BTreeMap;

use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{CheckInId, IncarnationId, NodeId, TicketId};
use eventify_protocol::time::{CoreInterval, CoreTime};
use eventify_sync::core::{CheckIn, EndKind, JournalRef, PassageEnd};
use sqlx::{AssertSqlSafe, FromRow};

use super::check_ins::{self, EntryRow, upsert_check_ins};
use super::{column, signed, unsigned};

#[derive(FromRow)]
struct EndRow {
    ended_ticket_id: TicketId,
    ended_passage: i32,
    ended_kind: String,
    ended_earliest: i64,
    ended_latest: i64,
    ended_node_id: Option<NodeId>,
    ended_incarnation: Option<IncarnationId>,
    ended_seq: Option<i64>,
    #[sqlx(flatten)]
    first: EntryRow,
}

impl TryFrom<EndRow> for PassageEnd {
    type Error = DbError;

    fn try_from(row: EndRow) -> DbResult<Self> {
        let source = match (row.ended_node_id, row.ended_incarnation, row.ended_seq) {
            (Some(node), Some(incarnation), Some(seq)) => Some(JournalRef {
                node,
                incarnation,
                seq: unsigned(seq)?,
            }),
            _ => None,
        };
        Ok(Self {
            passage: row.ended_passage,
            kind: match row.ended_kind.as_str() {
                "left" => EndKind::Left,
                "undone" => EndKind::Undone,
                "restarted" => EndKind::Restarted,
                kind => return Err(DbError::impossible_row(format!("a passage that {kind}"))),
            },
            at: CoreInterval {
                earliest: CoreTime(row.ended_earliest),
                latest: CoreTime(row.ended_latest),
            },
            source,
            first: CheckIn::try_from(row.first)?,
        })
    }
}

/// The passages of tickets that are over, in their order.
pub(crate) async fn list_passage_ends(
    conn: &mut PgConnection,
    tickets: &[TicketId],
) -> DbResult<BTreeMap<TicketId, Vec<PassageEnd>>> {
    let rows: Vec<EndRow> = sqlx::query_as(AssertSqlSafe(format!(
        "select ended.ticket_id as ended_ticket_id, ended.passage as ended_passage,
             ended.kind as ended_kind, ended.earliest as ended_earliest,
             ended.latest as ended_latest, ended.node_id as ended_node_id,
             ended.journal_incarnation as ended_incarnation, ended.journal_seq as ended_seq, {}
         from ticketing.passage_ends as ended
             join ticketing.checkins as entry using (ticket_id, passage)
         where ended.ticket_id = any($1) order by ended.passage",
        check_ins::COLUMNS
    )))
    .bind(tickets)
    .fetch_all(conn)
    .await?;
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for row in rows {
        let ticket = row.ended_ticket_id;
        found.entry(ticket).or_default().push(row.try_into()?);
    }
    Ok(found)
}

/// Writes passages that have ended, with their check-ins as they ended.
pub(crate) async fn insert_passage_ends(
    conn: &mut PgConnection,
    ended: &[(TicketId, PassageEnd)],
    id: impl Fn() -> CheckInId,
) -> DbResult<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let firsts = column(ended, |(ticket, end)| {
        (*ticket, end.passage, end.first, false)
    });
    upsert_check_ins(conn, &firsts, id).await?;
    let seqs = ended
        .iter()
        .map(|(_, end)| end.source.map(|it| signed(it.seq)).transpose());
    sqlx::query(
        "insert into ticketing.passage_ends (ticket_id, passage, kind, earliest, latest, node_id,
             journal_incarnation, journal_seq)
         select * from unnest($1::uuid[], $2::int[], $3::text[], $4::bigint[], $5::bigint[],
             $6::uuid[], $7::uuid[], $8::bigint[])
         on conflict do nothing",
    )
    .bind(column(ended, |(ticket, _)| *ticket))
    .bind(column(ended, |(_, end)| end.passage))
    .bind(column(ended, |(_, end)| name(end.kind)))
    .bind(column(ended, |(_, end)| end.at.earliest.0))
    .bind(column(ended, |(_, end)| end.at.latest.0))
    .bind(column(ended, |(_, end)| end.source.map(|it| it.node)))
    .bind(column(ended, |(_, end)| {
        end.source.map(|it| it.incarnation)
    }))
    .bind(seqs.collect::<DbResult<Vec<_>>>()?)
    .execute(conn)
    .await?;
    Ok(())
}

fn name(kind: EndKind) -> &'static str {
    match kind {
        EndKind::Left => "left",
        EndKind::Undone => "undone",
        EndKind::Restarted => "restarted",
    }
}
