//! The feed compared with the tickets: tampering with fleet's tables is found, named, and repaired at
//! every node; where nothing was changed, there is no alarm and no new entry.

use std::sync::Arc;

use eventify_contracts::order::{Item, OrderPaid};
use eventify_core::config::Config;
use eventify_core::contexts::{order, ticketing};
use eventify_kernel::cause::Cause;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use eventify_protocol::ids::{HoldId, OrderId, PerformanceId, SeatId, TicketId};
use eventify_protocol::sync::{DigestKey, FeedEntry, Subject, Value};
use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::fleet::feed::{Replica, ask, replica_of, welcome};
use crate::fleet::world::{Alarm, Node, Venue, alarms_of, contexts, performance};

const ALARM: &str = "feed_differs_from_ticketing";

/// Fleet and ticketing, and stand-ins for their neighbours.
fn both(config: &Config, clock: &Clock) -> Vec<Context> {
    let others = contexts(config, clock)
        .into_iter()
        .filter(|context| context.name != ticketing::NAME);
    let order = Context {
        events: eventify_contracts::order::events(),
        ..Context::new(order::NAME, &[])
    };
    others
        .chain([
            {
                let state = ticketing::State::new(config.contexts.ticketing);
                ticketing::context(&Arc::new(state))
            },
            order,
        ])
        .collect()
}

/// A venue with three tickets sold, and a node that holds them.
pub(crate) struct Scene {
    pub(crate) venue: Venue,
    node: Node,
    pub(crate) replica: Replica,
    key: DigestKey,
    asked: u8,
}

impl Scene {
    pub(crate) async fn open() -> Self {
        let venue = Venue::among(both).await;
        let start = venue.core.clock.now() + chrono::Duration::minutes(30);
        let scheduled = performance(venue.id, start);
        venue.publish("event_management", 1, &scheduled).await;
        venue.core.settle().await;
        sell(&venue, 3).await;
        venue.core.settle().await;
        let mut node = venue.node("North door").await;
        venue.core.settle().await;
        let answer = welcome(&mut node, None).await;
        let replica = replica_of(&mut node, &answer).await;
        Self {
            venue,
            node,
            replica,
            key: answer.digest_key,
            asked: 0,
        }
    }

    fn tickets(&self) -> Vec<TicketId> {
        let subjects = self.replica.rows.keys();
        subjects
            .filter_map(|subject| {
                if let Subject::Ticket(id) = subject {
                    Some(*id)
                } else {
                    None
                }
            })
            .collect()
    }

    fn entry(&self, ticket: TicketId) -> Option<&FeedEntry> {
        self.replica.rows.get(&Subject::Ticket(ticket))
    }

    /// Changes fleet's tables as an intruder or a fault might.
    pub(crate) async fn tamper(&self, sql: &str, subject: Subject) {
        let mut conn = self.venue.core.app().db.read("fleet").await.unwrap();
        let done = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .bind(minicbor::to_vec(subject).unwrap())
            .execute(&mut *conn)
            .await
            .unwrap();
        assert_eq!(done.rows_affected(), 1, "{sql}");
    }

    /// Fleet has the ticket's row as the release before wrote it.
    async fn write_second_form(&self, ticket: TicketId) {
        let mut entry = self.entry(ticket).unwrap().clone();
        if let Some(Value::Ticket(row)) = &mut entry.value {
            (row.place, row.code) = (None, None);
        }
        let mut conn = self.venue.core.app().db.read("fleet").await.unwrap();
        sqlx::query("update feed_state set entry = $2 where subject = $1")
            .bind(minicbor::to_vec(Subject::Ticket(ticket)).unwrap())
            .bind(entry.to_bytes())
            .execute(&mut *conn)
            .await
            .unwrap();
    }

    /// The daily comparison, from the statement to the last entry.
    pub(crate) async fn compare(&self) {
        due(&self.venue).await;
        self.venue.core.run_job("ticketing", "state_tickets").await;
        self.venue.core.run_job("fleet", "compare_feed").await;
    }

    pub(crate) async fn head(&self) -> i64 {
        let sql = "select head from venues where venue_id = $1";
        self.venue.value(sql).await
    }

    /// The node receives the entries up to the head, and has the same digest as the core.
    pub(crate) async fn follow(&mut self) {
        let head = u64::try_from(self.head().await).unwrap();
        while self.replica.position < head {
            let delta = self.node.delta().await;
            self.replica.join(delta);
        }
        let keys = self.venue.core.app().keys.ring().unwrap().set.clone();
        // The core reads the head once for many points: one may be of a moment before.
        let point = loop {
            self.asked = self.asked.wrapping_add(1);
            let point = ask(&mut self.node, &keys, self.asked).await;
            if point.position.0 >= self.replica.position {
                break point;
            }
        };
        assert_eq!(point.position.0, self.replica.position);
        let own = self.replica.digest(&self.key);
        assert_eq!(point.digest, own, "node and core agree");
    }

    pub(crate) async fn alarms(&self) -> Vec<Alarm> {
        self.alarms_named(ALARM).await
    }

    pub(crate) async fn alarms_named(&self, code: &str) -> Vec<Alarm> {
        let alarms = alarms_of(&self.venue.owner()).await.into_iter();
        alarms.filter(|alarm| alarm.code == code).collect()
    }

    /// Somebody tampers with what the feed has of a subject: it is found, told for the so many-th time, and
    /// repaired by one entry, once. What the alarm tells of it.
    pub(crate) async fn find_tampering(
        &mut self,
        tampering: &str,
        subject: Subject,
        (code, times): (&str, usize),
    ) -> serde_json::Value {
        let before = self.replica.rows[&subject].clone();
        let head = self.head().await;
        self.tamper(tampering, subject).await;
        self.compare().await;
        assert_eq!(self.head().await, head + 1, "one new entry: {tampering}");
        self.follow().await;
        let after = &self.replica.rows[&subject];
        assert!(after.version > before.version, "{tampering}");
        assert_eq!(after.value, before.value);
        let alarms = self.alarms_named(code).await;
        assert_eq!(alarms[0].occurrences as usize, times, "{alarms:#?}");
        assert_eq!(alarms[0].venue_id, Some(self.venue.id));
        // It stays right.
        self.compare().await;
        assert_eq!(self.head().await, head + 1);
        assert_eq!(self.alarms_named(code).await, alarms);
        alarms[0].details.clone()
    }
}

/// A customer pays for so many seats.
async fn sell(venue: &Venue, seats: usize) {
    let price = serde_json::from_value(json!({ "currency": "EUR", "amount": "49.90" })).unwrap();
    let item = |_| Item {
        performance_id: PerformanceId(Uuid::from_u128(5)),
        venue_id: venue.id,
        seat_id: Some(SeatId(venue.new_id())),
        seat_label: Some("A-1".to_owned()),
        bucket_id: None,
        zone: None,
        qty: 1,
        price_category: "STALLS".parse().unwrap(),
        unit_price: price,
        hold_id: HoldId(venue.new_id()),
    };
    let paid = OrderPaid {
        order_id: OrderId(venue.new_id()),
        customer_id: venue.new_id().into(),
        paid_at: venue.core.clock.now(),
        items: (0..seats).map(item).collect(),
    };
    venue.publish("order", 1, &paid).await;
}

/// A day has passed since the last statement.
async fn due(venue: &Venue) {
    let mut conn = venue.core.app().db.read("ticketing").await.unwrap();
    sqlx::query("update feed_statements set stated_at = stated_at - interval '24 hours'")
        .execute(&mut *conn)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undisturbed_feed_is_compared_without_alarm_or_entry() {
    let mut scene = Scene::open().await;
    let before = scene.head().await;
    scene.compare().await;
    scene.compare().await;
    assert_eq!(scene.head().await, before);
    assert_eq!(scene.alarms().await, []);
    let questions = "select count(*) from outbox where kind = 'fleet.tickets.questioned'
        and $1::uuid is not null";
    assert_eq!(scene.venue.value::<i64>(questions).await, 0);
    scene.follow().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_row_is_found_named_and_repaired_at_the_nodes() {
    let mut scene = Scene::open().await;
    for (round, tampering) in [
        "delete from feed_state where subject = $1",
        "update feed_state set live = false where subject = $1",
        "update feed_state set version = version + 5 where subject = $1",
        "update feed_state set version = 0 where subject = $1",
        // Another token's hash: a ticket that admits somebody else.
        "update feed_state set entry = set_byte(entry, 60, (get_byte(entry, 60) + 1) % 256)
         where subject = $1",
    ]
    .into_iter()
    .enumerate()
    {
        let ticket = scene.tickets()[1];
        let told = (ALARM, round + 1);
        let details = scene
            .find_tampering(tampering, Subject::Ticket(ticket), told)
            .await;
        assert_eq!(details["restated"], 1);
        assert_eq!(details["ticketIds"], json!([ticket]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_differs_from_the_rows_is_corrected() {
    let mut scene = Scene::open().await;
    let head = scene.head().await;
    let spoil = "update venues set digest = set_byte(digest, 0, (get_byte(digest, 0) + 1) % 256)";
    let later = "update feed_comparisons set received_at = received_at - interval '1 minute'";
    let mut conn = scene.venue.core.app().db.read("fleet").await.unwrap();
    sqlx::query(spoil).execute(&mut *conn).await.unwrap();
    scene.compare().await;
    assert_eq!(scene.venue.alarms().await, Vec::<String>::new(), "not yet");
    sqlx::query(later).execute(&mut *conn).await.unwrap();
    scene.venue.core.run_job("fleet", "compare_feed").await;
    assert_eq!(scene.venue.alarms().await, ["feed_digest_wrong"]);
    assert_eq!(scene.head().await, head);
    scene.follow().await;
    // A right digest stays, without another alarm.
    scene.compare().await;
    sqlx::query(later).execute(&mut *conn).await.unwrap();
    scene.venue.core.run_job("fleet", "compare_feed").await;
    let occurrences = "select occurrences from standing_alarms where subject = $1::text";
    assert_eq!(scene.venue.value::<i64>(occurrences).await, 1);
}

/// All rows of all seasons were counted under the feed's lock, daily and an hour before doors: nothing
/// that was sold, refunded or scanned got to the gates meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn the_digest_is_checked_while_the_feed_is_being_written() {
    let scene = Scene::open().await;
    let app = scene.venue.core.app();
    scene.compare().await;
    let mut conn = app.db.read("fleet").await.unwrap();
    let later = "update feed_comparisons set received_at = received_at - interval '1 minute'";
    let waiting = sqlx::query(later).execute(&mut *conn).await.unwrap();
    assert_eq!(waiting.rows_affected(), 1);
    let cause = Cause::fresh(&app.clock);
    let mut writer = app.db.begin("fleet", &cause).await.unwrap();
    sqlx::query("select from venues for update")
        .execute(&mut *writer)
        .await
        .unwrap();
    scene.venue.core.run_job("fleet", "compare_feed").await;
    let left = "select count(*) from feed_comparisons where $1::uuid is not null";
    assert_eq!(scene.venue.value::<i64>(left).await, 0);
    assert_eq!(scene.venue.alarms().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inserted_ticket_is_removed_everywhere() {
    let mut scene = Scene::open().await;
    let model = scene.tickets()[0];
    let intruder = TicketId(Uuid::from_u128(model.as_uuid().as_u128() + 1));
    let head = scene.head().await;
    let mut conn = scene.venue.core.app().db.read("fleet").await.unwrap();
    let subject = |ticket| minicbor::to_vec(Subject::Ticket(ticket)).unwrap();
    sqlx::query(
        "insert into feed_state (venue_id, subject, version, position, live, entry)
         select venue_id, $2, version, position, live, entry from feed_state where subject = $1",
    )
    .bind(subject(model))
    .bind(subject(intruder))
    .execute(&mut *conn)
    .await
    .unwrap();
    scene.compare().await;
    assert_eq!(scene.head().await, head + 1);
    scene.follow().await;
    assert_eq!(scene.entry(intruder), None);
    let live = "select count(*) from feed_state where venue_id = $1 and live
        and substr(subject, 1, 2) = (select substr(subject, 1, 2) from feed_state
            order by subject desc limit 1)";
    assert_eq!(scene.venue.value::<i64>(live).await, 3);
    let alarms = scene.alarms().await;
    assert_eq!(alarms[0].details["unknown"], 1);
    assert_eq!(alarms[0].details["ticketIds"], json!([intruder]));
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_that_change_meanwhile_raise_no_false_alarm() {
    let scene = Scene::open().await;
    let before = scene.head().await;
    for _ in 0..6 {
        let selling = async {
            for _ in 0..5 {
                sell(&scene.venue, 2).await;
            }
        };
        let comparing = async {
            due(&scene.venue).await;
            scene.venue.core.run_job("ticketing", "state_tickets").await;
            scene.venue.core.run_job("fleet", "compare_feed").await;
        };
        tokio::join!(selling, comparing);
    }
    scene.venue.core.settle().await;
    scene.venue.core.run_job("fleet", "compare_feed").await;
    assert_eq!(scene.head().await, before + 60, "each ticket once");
    assert_eq!(scene.alarms().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_compared_daily_and_once_more_before_doors() {
    let venue = Venue::among(both).await;
    let start = venue.core.clock.now() + chrono::Duration::hours(30);
    let scheduled = performance(venue.id, start);
    venue.publish("event_management", 1, &scheduled).await;
    venue.core.settle().await;
    let stated = async || {
        venue.core.run_job("ticketing", "state_tickets").await;
        let mut conn = venue.core.app().db.read("ticketing").await.unwrap();
        let sql = "select count(*) from outbox where kind = 'ticketing.tickets.stated'";
        sqlx::query_scalar::<_, i64>(sql)
            .fetch_one(&mut *conn)
            .await
            .unwrap()
    };
    let mut counts = Vec::new();
    // At once; a day later; not yet; an hour before the doors; once; and when it is over, never.
    for hours in [0, 23, 1, 4, 1, 0, 30] {
        venue.core.advance(chrono::Duration::hours(hours));
        counts.push(stated().await);
    }
    assert_eq!(counts, [1, 1, 2, 2, 3, 3, 3]);
}

/// The venue's show is not what the feed has of it. The last one is what the release before left behind:
/// a foreign show that was confirmed again.
#[tokio::test(flavor = "multi_thread")]
async fn a_show_that_the_feed_has_otherwise_is_brought_back_to_the_gates() {
    let mut scene = Scene::open().await;
    let id = PerformanceId(Uuid::from_u128(5));
    let subject = Subject::Performance(id);
    for (round, tampering) in [
        "delete from feed_state where subject = $1",
        "update feed_state set version = version + 5 where subject = $1",
        "update feed_state set entry = set_byte(entry, 30, (get_byte(entry, 30) + 1) % 256)
         where subject = $1",
        "update feed_state set live = false where subject = $1",
    ]
    .into_iter()
    .enumerate()
    {
        let told = ("feed_differs_from_performances", round + 1);
        let details = scene.find_tampering(tampering, subject, told).await;
        assert_eq!(details["performanceIds"], json!([id]));
    }
    assert_eq!(scene.alarms().await, [], "the tickets were never wrong");
}

/// A show that nobody plays must not admit.
#[tokio::test(flavor = "multi_thread")]
async fn an_inserted_show_is_removed_everywhere() {
    let mut scene = Scene::open().await;
    let subject = |id| Subject::Performance(PerformanceId(Uuid::from_u128(id)));
    let bytes = |id| minicbor::to_vec(subject(id)).unwrap();
    let mut conn = scene.venue.core.app().db.read("fleet").await.unwrap();
    sqlx::query(
        "insert into feed_state (venue_id, subject, version, position, live, entry)
         select venue_id, $2, version, position, live, entry from feed_state where subject = $1",
    )
    .bind(bytes(5))
    .bind(bytes(6))
    .execute(&mut *conn)
    .await
    .unwrap();
    let head = scene.head().await;
    scene.compare().await;
    assert_eq!(scene.head().await, head + 1);
    scene.follow().await;
    assert!(!scene.replica.rows.contains_key(&subject(6)));
    assert!(scene.replica.rows.contains_key(&subject(5)));
    let alarms = scene.alarms_named("feed_differs_from_performances").await;
    assert_eq!(alarms[0].details["unknown"], 1);
    scene.compare().await;
    assert_eq!(scene.head().await, head + 1);
}

/// The release before has sold these tickets, without short codes: their rows stay what they are until each
/// has its code, and no comparison meanwhile finds anything wrong.
#[tokio::test(flavor = "multi_thread")]
async fn after_an_upgrade_rows_get_place_and_code_without_an_alarm() {
    let mut scene = Scene::open().await;
    let app = scene.venue.core.app();
    let mut conn = app.db.read("ticketing").await.unwrap();
    sqlx::query("update tickets set short_code = null, short_code_hash = null")
        .execute(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    for ticket in scene.tickets() {
        scene.write_second_form(ticket).await;
    }
    let head = scene.head().await;
    scene.compare().await;
    assert_eq!(scene.head().await, head, "nothing differs yet");
    scene.venue.core.run_job("ticketing", "give_codes").await;
    scene.venue.core.settle().await;
    scene.compare().await;
    let entries = i64::try_from(scene.tickets().len()).unwrap();
    assert_eq!(scene.head().await, head + entries);
    scene.replica.position = u64::try_from(head).unwrap();
    while scene.replica.position < u64::try_from(head + entries).unwrap() {
        let delta = scene.node.delta().await;
        scene.replica.join(delta);
    }
    for ticket in scene.tickets() {
        let Some(Value::Ticket(row)) = &scene.entry(ticket).unwrap().value else {
            panic!("a ticket's row");
        };
        assert_eq!(row.place.as_deref(), Some("A-1"));
        assert!(row.code.is_some());
    }
    assert_eq!(scene.alarms().await, []);
}
