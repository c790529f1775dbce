//! More tickets than customers could buy in the time of a run.
//!
//! This module inserts paid orders into the tables of `order` and `ticketing`. The product does the
//! rest: `ticketing`'s job finds orders without tickets, signs and stores tickets, publishes them, and
//! `fleet` writes the feed. Only the million tickets of the row `cache-size` go into the feed directly.

use std::time::Duration;

use anyhow::{Context as _, Result};
use eventify_protocol::{
    hash::Hash32,
    ids::{PerformanceId, TicketId},
    short_code::CodeTag,
    sync::{Digest, DigestKey, FeedEntry, Subject, TicketEntry, TicketState, Value},
    token::TokenHash,
};
use eventify_sync::digest;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::{clock, wait, world::fixture::Fixture};

/// The job runs every 5 s and takes 200 orders each time.
const ORDERS: u32 = 200;
/// The longest time until all tickets are in the feed.
const ISSUE_LIMIT: Duration = Duration::from_secs(180);
/// Rows of one statement.
const ROWS_AT_ONCE: usize = 20_000;

#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) id: TicketId,
    pub(super) token: String,
}

/// Inserts paid orders for this number of places, waits until their tickets are in the venue's feed, and
/// returns them.
pub(super) async fn sold(
    db: &mut PgConnection,
    fixture: &Fixture,
    places: u32,
) -> Result<Vec<Ticket>> {
    let each = places.div_ceil(ORDERS);
    for statement in [ORDER_ROWS, ORDER_ITEMS, ORDERS_TO_TICKET] {
        sqlx::query(statement)
            .bind(i32::try_from(ORDERS)?)
            .bind(i32::try_from(each)?)
            .bind(fixture.performance.parse::<Uuid>()?)
            .bind(fixture.venue.parse::<Uuid>()?)
            .bind(fixture.standing_zone().parse::<Uuid>()?)
            .execute(&mut *db)
            .await?;
    }
    in_feed(db, fixture, i64::from(each * ORDERS)).await?;
    read(db, fixture).await
}

// An order's id is derived from the performance and its number, so that the three statements use the
// same ids.
const ORDER_ROWS: &str = "
    insert into \"order\".orders (order_id, reservation_id, customer_id, status, currency,
        total_amount, pay_until, paid_at, correlation_id, created_at, updated_at, version)
    select md5($3::text || number)::uuid, gen_random_uuid(), gen_random_uuid(), 'paid', 'EUR',
        29 * $2, now(), now(), gen_random_uuid(), now(), now(), 2
    from generate_series(1, $1) as number
    where $4::uuid is not null and $5::uuid is not null";
const ORDER_ITEMS: &str = "
    insert into \"order\".order_items (order_id, line, performance_id, venue_id, bucket_id, zone,
        qty, price_category, currency, unit_amount, hold_id)
    select md5($3::text || number)::uuid, 0, $3, $4, $5, 'Standing', $2, 'STAND', 'EUR', 29,
        gen_random_uuid()
    from generate_series(1, $1) as number";
const ORDERS_TO_TICKET: &str = "
    insert into ticketing.orders (order_id, customer_id, items, status, received_at, updated_at,
        version)
    select md5($3::text || number)::uuid, gen_random_uuid(),
        jsonb_build_array(jsonb_build_object('performanceId', $3, 'venueId', $4, 'bucketId', $5,
            'zone', 'Standing', 'qty', $2, 'priceCategory', 'STAND', 'unitPrice',
            jsonb_build_object('currency', 'EUR', 'amount', '29.00'), 'holdId', gen_random_uuid())),
        'paid', now(), now(), 1
    from generate_series(1, $1) as number";

async fn read(db: &mut PgConnection, fixture: &Fixture) -> Result<Vec<Ticket>> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "select ticket_id, qr_payload from ticketing.tickets where performance_id = $1",
    )
    .bind(fixture.performance.parse::<Uuid>()?)
    .fetch_all(db)
    .await?;
    let ticket = |(id, token)| Ticket {
        id: TicketId(id),
        token,
    };
    Ok(rows.into_iter().map(ticket).collect())
}

/// Fills the venue's feed with tickets that exist nowhere else, as if the feed had been compacted. They
/// only fill caches: a million real tickets would take longer than the whole run.
pub(super) async fn fillers(db: &mut PgConnection, fixture: &Fixture, count: usize) -> Result<()> {
    let venue: Uuid = fixture.venue.parse()?;
    let performance = fixture.performance.parse()?;
    let mut tx = db.begin().await?;
    let (mut head, sum, key): (i64, Vec<u8>, Vec<u8>) = sqlx::query_as(
        "select head, digest, digest_key from fleet.venues where venue_id = $1 for update",
    )
    .bind(venue)
    .fetch_one(&mut *tx)
    .await?;
    let key = DigestKey(Hash32(key.as_slice().try_into()?));
    let mut sum = Digest(Hash32(sum.as_slice().try_into()?));
    let mut left = count;
    while left > 0 {
        let part = left.min(ROWS_AT_ONCE);
        let entries: Vec<FeedEntry> = (0..part)
            .map(|_| filler(TicketId(clock::new_id()), performance))
            .collect::<Result<_>>()?;
        let rows: Vec<Vec<u8>> = entries.iter().map(FeedEntry::to_bytes).collect();
        for row in &rows {
            sum = digest::add(sum, digest::row_hash(&key, row));
        }
        insert_entries(&mut tx, venue, head, &entries, &rows).await?;
        head += i64::try_from(part)?;
        left -= part;
    }
    for statement in [
        "update fleet.venues set head = $2, compacted_to = $2, digest = $3 where venue_id = $1",
        "delete from fleet.feed_entries where venue_id = $1 and position <= $2 and $3 is not null",
    ] {
        let done = sqlx::query(statement)
            .bind(venue)
            .bind(head)
            .bind(sum.0.0.as_slice());
        done.execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn filler(id: TicketId, performance: PerformanceId) -> Result<FeedEntry> {
    let entry = TicketEntry {
        token: TokenHash(Hash32::of(id.as_uuid().as_bytes())),
        performance,
        category: "STAND".parse().context("a category")?,
        state: TicketState::Valid,
        place: Some(format!(
            "Stand-{}-{}",
            id.as_uuid().as_bytes()[15],
            id.as_uuid().as_bytes()[14]
        )),
        code: Some(filler_code(id)),
    };
    Ok(FeedEntry {
        subject: Subject::Ticket(id),
        version: 1,
        value: Some(Value::Ticket(entry)),
    })
}

/// As random as a real one, which takes milliseconds to make.
fn filler_code(id: TicketId) -> CodeTag {
    let mut tag = [0; CodeTag::BYTES];
    let hash = Hash32::of(&[id.as_uuid().as_bytes().as_slice(), b"code"].concat());
    tag.copy_from_slice(&hash.0[..CodeTag::BYTES]);
    CodeTag(tag)
}

/// Inserts new subjects after a position of the feed.
async fn insert_entries(
    db: &mut PgConnection,
    venue: Uuid,
    after: i64,
    entries: &[FeedEntry],
    rows: &[Vec<u8>],
) -> Result<()> {
    let subjects = entries.iter().map(|entry| key(&entry.subject));
    sqlx::query(
        "insert into fleet.feed_state (venue_id, subject, version, position, live, entry)
         select $1, subject, 1, $2 + place, true, entry
         from unnest($3::bytea[], $4::bytea[]) with ordinality as row (subject, entry, place)",
    )
    .bind(venue)
    .bind(after)
    .bind(subjects.collect::<Vec<_>>())
    .bind(rows)
    .execute(db)
    .await?;
    Ok(())
}

/// A subject as in fleet's columns.
pub(super) fn key(subject: &Subject) -> Vec<u8> {
    minicbor::to_vec(subject).expect("writing to a Vec can't fail")
}

async fn in_feed(db: &mut PgConnection, fixture: &Fixture, entries: i64) -> Result<()> {
    let venue: Uuid = fixture.venue.parse()?;
    let begin = clock::instant();
    while head(db, venue).await? < entries {
        anyhow::ensure!(
            begin.elapsed() < ISSUE_LIMIT,
            "the feed has no {entries} entries"
        );
        tokio::time::sleep(wait::PAUSE).await;
    }
    Ok(())
}

async fn head(db: &mut PgConnection, venue: Uuid) -> Result<i64> {
    Ok(
        sqlx::query_scalar("select head from fleet.venues where venue_id = $1")
            .bind(venue)
            .fetch_one(db)
            .await?,
    )
}
