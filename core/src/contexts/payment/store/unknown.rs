//! Which objects at the provider are ours, and what is known of those that are not here.

use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::money::Money;
use uuid::Uuid;

use crate::contexts::payment::model::ItemKind;

/// The id that each intent of this installation carries.
pub(crate) async fn installation(conn: &mut PgConnection) -> DbResult<Uuid> {
    let id = sqlx::query_scalar("select installation_id from payment.installation")
        .fetch_one(conn)
        .await?;
    Ok(id)
}

/// Whether an item about this stands open.
pub(crate) async fn is_open(
    conn: &mut PgConnection,
    (kind, subject): (ItemKind, &str),
) -> DbResult<bool> {
    let open = sqlx::query_scalar(
        "select exists (select from payment.open_items
             where kind = $1 and subject = $2 and done_at is null)",
    )
    .bind(kind.name())
    .bind(subject)
    .fetch_one(conn)
    .await?;
    Ok(open)
}

/// Whether somebody has decided about as much of this, for the same reason.
pub(crate) async fn is_decided(
    conn: &mut PgConnection,
    (kind, subject): (ItemKind, &str),
    (amount, reason): (Money, &str),
) -> DbResult<bool> {
    let decided = sqlx::query_scalar(
        "select exists (select from payment.open_items
             where kind = $1 and subject = $2 and reason = $3 and acted_by is not null
                 and currency = $4 and amount >= $5)",
    )
    .bind(kind.name())
    .bind(subject)
    .bind(reason)
    .bind(amount.currency().code())
    .bind(amount.to_decimal())
    .fetch_one(conn)
    .await?;
    Ok(decided)
}
