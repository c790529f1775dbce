//! Guests who were admitted with tickets whose money goes back, as ticketing publishes them.

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::RefundedAdmitted;
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{ScanId, TicketId, VenueId};
use sqlx::types::Json;

/// Inserts a finding or updates it to this version; an older version changes nothing. One that is
/// dissolved is new when it comes back.
pub(crate) async fn upsert(
    conn: &mut PgConnection,
    finding: &RefundedAdmitted,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into fleet.refunded_admissions as stored
             (ticket_id, venue_id, scan_id, finding, version, dissolved)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (ticket_id) do update set venue_id = excluded.venue_id,
             scan_id = excluded.scan_id, finding = excluded.finding,
             version = excluded.version, dissolved = excluded.dissolved,
             alarmed_at = case when excluded.dissolved then null else stored.alarmed_at end
         where stored.version < excluded.version",
    )
    .bind(finding.ticket_id)
    .bind(finding.venue_id)
    .bind(finding.admission.scan_id)
    .bind(Json(finding))
    .bind(version)
    .bind(finding.dissolved)
    .execute(conn)
    .await?;
    Ok(())
}

/// The ticket's finding, if its venue has to be alarmed now: once, whatever its versions are.
pub(crate) async fn claim_alarm(
    conn: &mut PgConnection,
    ticket: TicketId,
    now: DateTime<Utc>,
) -> DbResult<Option<RefundedAdmitted>> {
    let found: Option<Json<RefundedAdmitted>> = sqlx::query_scalar(
        "update fleet.refunded_admissions set alarmed_at = $2
         where ticket_id = $1 and not dissolved and alarmed_at is null returning finding",
    )
    .bind(ticket)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|Json(finding)| finding))
}

/// Nothing went back after all, or nobody was let in.
pub(crate) async fn is_dissolved(conn: &mut PgConnection, ticket: TicketId) -> DbResult<bool> {
    let dissolved: Option<bool> =
        sqlx::query_scalar("select dissolved from fleet.refunded_admissions where ticket_id = $1")
            .bind(ticket)
            .fetch_optional(conn)
            .await?;
    Ok(dissolved.unwrap_or(false))
}

/// The findings of a venue whose guests were admitted by these scans, in the order of their times.
pub(crate) async fn list_of_scans(
    conn: &mut PgConnection,
    venue: VenueId,
    scans: &[ScanId],
) -> DbResult<Vec<RefundedAdmitted>> {
    let found: Vec<Json<RefundedAdmitted>> = sqlx::query_scalar(
        "select finding from fleet.refunded_admissions
         where venue_id = $1 and scan_id = any($2) and not dissolved
         order by (finding->'admission'->>'earliest')::timestamptz, ticket_id",
    )
    .bind(venue)
    .bind(scans)
    .fetch_all(conn)
    .await?;
    Ok(found.into_iter().map(|Json(finding)| finding).collect())
}
