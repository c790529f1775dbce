//! A venue's truth is its own, and one node can hurt nobody else: what is stuck, flooded or made up for
//! one costs the others nothing.

use chrono::TimeDelta;
use eventify_contracts::fleet::NodeModeChanged;
use eventify_contracts::inventory::{VenueCreated, VenueFacts};
use eventify_kernel::bus::dead_letters;
use eventify_kernel::cause::Cause;
use eventify_kernel::jobs::run_now;
use eventify_protocol::ids::{NodeId, VenueId};
use eventify_protocol::sync::{Ask, Down, Health, JournalBatch, Nonce, Plan, Position, Pull, Up};
use eventify_protocol::verdict::{Mode, Verdict};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::fleet::feed::{ask, welcome};
use crate::fleet::journal::{Journal, ack};
use crate::fleet::world::{Alarm, Node, Venue, alarms_of, hello, issue, ticket};
use crate::world::until;

/// Another venue of the same core, with a node.
async fn neighbour(venue: &Venue) -> (VenueId, Node) {
    let id = VenueId(venue.new_id());
    let facts = VenueFacts {
        name: "Arena".to_owned(),
        city: None,
        time_zone: "Europe/Paris".parse().unwrap(),
        owner_id: venue.owner().id().await,
        org_id: None,
        shared: false,
    };
    let created = VenueCreated {
        venue_id: id,
        facts,
    };
    venue.publish("inventory", 1, &created).await;
    venue.core.settle().await;
    let plan = json!({ "venueId": id, "label": "Arena door", "gates": [] });
    let announced = venue.owner().post("/fleet/nodes", plan).await.expect(201);
    let enrolled = Node::enrol(venue, announced["code"].as_str().unwrap()).await;
    (id, enrolled.unwrap().connect(venue).await)
}

async fn admin(venue: &Venue) -> PgConnection {
    let url = venue.core.scope.database.url();
    PgConnection::connect(url).await.unwrap()
}

async fn the_alarm(venue: &Venue, code: &str) -> Alarm {
    let mut found = None;
    until(code, async || {
        let alarms = alarms_of(&venue.core.user("ada").role("ADMIN")).await;
        found = alarms.into_iter().find(|alarm| alarm.code == code);
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// S11: T was the minimum over all rows of all venues. One message that was stuck aged every cache, and
/// after five minutes no gate of any organiser decided alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_stuck_for_one_venue_ages_no_other() {
    let venue = Venue::open().await;
    let mut here = venue.node("North door").await;
    let (_, mut there) = neighbour(&venue).await;
    venue.core.settle().await;
    let app = venue.core.app();
    let keys = app.keys.ring().unwrap().set.clone();
    let cause = Cause::fresh(&app.clock);
    let mut lock = app.db.begin("fleet", &cause).await.unwrap();
    sqlx::query("select from venues where venue_id = $1 for update")
        .bind(venue.id)
        .execute(&mut *lock)
        .await
        .unwrap();
    venue
        .publish("ticketing", 1, &issue(vec![ticket(venue.id, 1)]))
        .await;
    let mut nonce = 0;
    let stuck = loop {
        nonce += 1;
        let point = ask(&mut here, &keys, nonce).await;
        if point.truth < point.core {
            break point;
        }
    };
    let mut point = ask(&mut there, &keys, 1).await;
    while point.core <= stuck.core {
        nonce += 1;
        point = ask(&mut there, &keys, nonce).await;
    }
    assert_eq!(point.truth, point.core, "nothing of this venue waits");

    let mut conn = admin(&venue).await;
    sqlx::query(
        "update ticketing.outbox set created_at = now() - interval '61 seconds'
         where feeds_venues and settled_at is null",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let watched = run_now(app, "fleet", "watch_truth").await;
    watched.unwrap();
    let alarm = the_alarm(&venue, "truth_stands_still").await;
    assert_eq!(alarm.venue_id, Some(venue.id));
    assert_eq!(alarm.details["oldest"]["type"], "ticket.issued");
    assert_eq!(alarm.details["messages"], 1);
    assert_eq!(alarm.occurrences, 1, "and of no other venue");
    drop(lock);
    venue.core.settle().await;
}

/// S11: a parked message waits for a person. Until then every venue's gates had an older cache, and decided
/// nothing alone after five minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_parked_message_of_one_organiser_ages_nobody_elses_cache() {
    let venue = Venue::open().await;
    let mut here = venue.node("North door").await;
    let (_, mut there) = neighbour(&venue).await;
    venue.core.settle().await;
    let keys = venue.core.app().keys.ring().unwrap().set.clone();
    let mut conn = admin(&venue).await;
    let refusing = format!(
        "create function fleet.refuse() returns trigger language plpgsql as
             'begin raise exception ''nothing of this venue''; end';
         create trigger refuse before insert on fleet.feed_pending for each row
             when (new.venue_id = '{}') execute function fleet.refuse()",
        venue.id
    );
    sqlx::raw_sql(AssertSqlSafe(refusing))
        .execute(&mut conn)
        .await
        .unwrap();
    venue
        .publish("ticketing", 1, &issue(vec![ticket(venue.id, 1)]))
        .await;
    let bus = venue.core.app().bus.clone();
    let mut parked = None;
    until("the message is parked", async || {
        for queue in bus.parking() {
            if dead_letters::count(&bus, &queue).await.unwrap() == 1 {
                parked = Some(queue);
            }
        }
        parked.is_some()
    })
    .await;

    let stuck = ask(&mut here, &keys, 1).await;
    assert!(stuck.truth < stuck.core, "{stuck:?}");
    let mut nonce = 2;
    let mut point = ask(&mut there, &keys, nonce).await;
    while point.core <= stuck.core {
        nonce += 1;
        point = ask(&mut there, &keys, nonce).await;
    }
    assert_eq!(point.truth, point.core, "nothing of this venue waits");

    sqlx::raw_sql("drop trigger refuse on fleet.feed_pending")
        .execute(&mut conn)
        .await
        .unwrap();
    let replayed = dead_letters::replay(&bus, &parked.unwrap(), 10).await;
    assert_eq!(replayed.unwrap(), 1);
    assert_eq!(here.delta().await.entries, [ticket(venue.id, 1).entry()]);
    venue.core.settle().await;
    let point = ask(&mut here, &keys, 2).await;
    assert_eq!(point.truth, point.core);
}

/// The writer writes what is pending of all venues in one transaction. One row that can't be written kept
/// all of them waiting.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_cannot_be_written_for_one_venue_is_written_for_the_others() {
    let venue = Venue::open().await;
    let (arena, mut there) = neighbour(&venue).await;
    venue.core.settle().await;
    let mut conn = admin(&venue).await;
    sqlx::query(
        "insert into fleet.feed_pending (message_id, source, venue_id, subject, version, entry)
         values ($1, 'fleet', $2, '\\x00', 1, '\\xff')",
    )
    .bind(venue.new_id())
    .bind(venue.id)
    .execute(&mut conn)
    .await
    .unwrap();
    venue
        .publish("ticketing", 1, &issue(vec![ticket(arena, 1)]))
        .await;
    let delta = there.delta().await;
    assert_eq!(delta.entries, [ticket(arena, 1).entry()]);
    let keys = venue.core.app().keys.ring().unwrap().set.clone();
    let mut nonce = 0;
    until("and is known to be there", async || {
        nonce += 1;
        let point = ask(&mut there, &keys, nonce).await;
        point.truth == point.core
    })
    .await;
    sqlx::query("delete from fleet.feed_pending where subject = '\\x00'")
        .execute(&mut conn)
        .await
        .unwrap();
    venue.core.settle().await;
}

/// S2 b: each message cost queries, and all nodes wait in the same queue.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_floods_takes_no_answer_from_another() {
    let venue = Venue::open().await;
    let flood = venue.node("North door").await;
    let (_, mut there) = neighbour(&venue).await;
    let keys = venue.core.app().keys.ring().unwrap().set.clone();
    let question = Up::Ask(Ask {
        nonce: Nonce([9; 16]),
    });
    for _ in 0..2_000 {
        flood.send(question.clone()).await;
    }
    ask(&mut there, &keys, 1).await;
    let mut alarm = None;
    until("the flood is an alarm", async || {
        flood.send(question.clone()).await;
        let alarms = alarms_of(&venue.owner()).await.into_iter();
        alarm = alarms
            .filter(|alarm| alarm.code == "node_floods")
            .find(|alarm| alarm.node_id == Some(flood.id));
        alarm.is_some()
    })
    .await;
    let details = alarm.unwrap().details;
    assert!(details["dropped"].as_u64() > Some(0), "{details}");
    assert_eq!(alarms_of(&venue.owner()).await.len(), 1);
}

/// S9: whoever waited for the snapshot of a venue held a connection that its maker needed.
#[tokio::test(flavor = "multi_thread")]
async fn hellos_at_once_wait_for_each_other_and_not_for_connections() {
    let venue = Venue::limited(&[("database.gate_connections", "2")]).await;
    let (_, there) = neighbour(&venue).await;
    let mut nodes = Vec::new();
    for door in ["North door", "South door", "East door", "West door"] {
        nodes.push(venue.node(door).await);
    }
    nodes.push(there);
    for node in &nodes {
        node.send(Up::Hello(hello(None))).await;
    }
    for node in &mut nodes {
        node.receive("a welcome", |message| {
            matches!(message, Down::Welcome(_)).then_some(())
        })
        .await;
    }
    let snapshots: i64 = venue
        .value("select count(*) from snapshots where venue_id = $1")
        .await;
    assert_eq!(snapshots, 1);
}

/// S2 d: a node that said `Hello` without end while a venue sold fast had the core write a snapshot for
/// every thousand entries.
#[tokio::test(flavor = "multi_thread")]
async fn a_venue_that_changes_fast_gets_one_snapshot_a_minute() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let first = welcome(&mut node, None).await;
    let tickets = (0..1_100).map(|seat| ticket(venue.id, seat)).collect();
    venue.publish("ticketing", 1, &issue(tickets)).await;
    venue.core.settle().await;
    let second = welcome(&mut node, None).await;
    assert_eq!(second.plan, first.plan);
    assert!(
        second.head > Position(1_100),
        "its entries are sent beside it"
    );

    let mut conn = admin(&venue).await;
    sqlx::query("update fleet.snapshots set created_at = now() - interval '61 seconds'")
        .execute(&mut conn)
        .await
        .unwrap();
    let third = welcome(&mut node, None).await;
    assert_ne!(third.plan, first.plan);
    let Plan::Snapshot { position, .. } = third.plan else {
        panic!("{:?}", third.plan)
    };
    assert_eq!(position, third.head);
}

/// S2 d: a question of a hundred bytes was answered with three megabytes, which wait in the broker for a
/// node that doesn't read.
#[tokio::test(flavor = "multi_thread")]
async fn a_pull_is_answered_with_sixteen_chunks_at_most() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let welcome = welcome(&mut node, None).await;
    let Plan::Snapshot { id: snapshot, .. } = welcome.plan else {
        panic!("{:?}", welcome.plan)
    };
    let mut conn = admin(&venue).await;
    sqlx::query(
        "insert into fleet.snapshot_chunks (snapshot_id, chunk, bytes)
         select $1, chunk, '\\x80' from generate_series(1, 39) as chunk",
    )
    .bind(snapshot)
    .execute(&mut conn)
    .await
    .unwrap();
    let pull = async |node: &mut Node, from, count, chunks| {
        let pull = Pull {
            snapshot,
            from,
            count,
        };
        node.send(Up::Pull(pull)).await;
        let mut got = Vec::new();
        for _ in 0..chunks {
            let index = node.receive("a chunk", |message| {
                let Down::Chunk(chunk) = message else {
                    return None;
                };
                Some(chunk.index)
            });
            got.push(index.await);
        }
        got
    };
    let first = pull(&mut node, 0, 40, 16).await;
    assert_eq!(first, (0..16).collect::<Vec<_>>());
    // With more of them under way, the next would be the seventeenth.
    assert_eq!(pull(&mut node, 39, 1, 1).await, [39]);
}

/// S2 c: every made-up row was kept for ever.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_node_makes_up_fill_no_disk_and_are_counted() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let mut conn = admin(&venue).await;
    sqlx::query(
        "insert into fleet.journal_forks (node_id, incarnation, seq, hash, bytes)
         values ($1, $1, 1, '\\x00', convert_to(repeat('x', 16777216), 'UTF8'))",
    )
    .bind(node.id)
    .execute(&mut conn)
    .await
    .unwrap();
    let mut journal = Journal::open(node.id, 1);
    journal.scan(101, Verdict::Admit, Mode::Degraded);
    let mut malformed = 0_u8;
    let mut refuse = async |node: &mut Node| {
        malformed += 1;
        let batch = JournalBatch {
            rows: vec![vec![0xff, malformed].into()],
            ..journal.batch(1, 1)
        };
        node.send(Up::Journal(batch)).await;
        ack(node).await;
        let alarms = alarms_of(&venue.owner()).await.into_iter();
        let alarm = alarms
            .into_iter()
            .find(|it| it.code == "journal_row_malformed");
        alarm.expect("an alarm")
    };
    let alarm = refuse(&mut node).await;
    assert_eq!(
        (alarm.occurrences, &alarm.details["kept"]),
        (1, &json!(false))
    );
    let alarm = refuse(&mut node).await;
    assert_eq!(
        (alarm.occurrences, &alarm.details["kept"]),
        (2, &json!(false))
    );
    assert_eq!(kept(&mut conn, node.id).await, 1);

    sqlx::query("update fleet.journal_forks set received_at = now() - interval '25 hours'")
        .execute(&mut conn)
        .await
        .unwrap();
    venue.core.advance(TimeDelta::minutes(1));
    let alarm = refuse(&mut node).await;
    assert_eq!(
        (alarm.occurrences, &alarm.details["kept"]),
        (3, &json!(true))
    );
    assert_eq!(kept(&mut conn, node.id).await, 2);
}

async fn kept(conn: &mut PgConnection, node: NodeId) -> i64 {
    sqlx::query_scalar("select count(*) from fleet.journal_forks where node_id = $1")
        .bind(node)
        .fetch_one(conn)
        .await
        .unwrap()
}

/// S2 c: each flap of a reported mode was a row and an event.
#[tokio::test(flavor = "multi_thread")]
async fn a_mode_that_changes_without_end_is_one_alarm_and_no_row_each() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    let mut conn = admin(&venue).await;
    sqlx::query(
        "insert into fleet.mode_changes (node_id, change, mode, heard_at)
         select $1, -number, 'Online', now() from generate_series(1, 2000) as number",
    )
    .bind(node.id)
    .execute(&mut conn)
    .await
    .unwrap();
    for mode in [Mode::Online, Mode::Degraded, Mode::Online, Mode::Locked] {
        let health = Health {
            mode,
            cache_age_ms: None,
            head: Position(0),
            unacknowledged: 0,
            free_bytes: 0,
            software: "test".to_owned(),
            mode_number: None,
            unreadable: None,
            journal_fault: None,
        };
        node.send(Up::Health(health)).await;
        until("each report is the last one", async || {
            let heard: Option<String> = sqlx::query_scalar("select mode from fleet.node_health")
                .fetch_optional(&mut conn)
                .await
                .unwrap();
            heard == Some(format!("{mode:?}"))
        })
        .await;
    }
    let alarm = the_alarm(&venue, "node_floods").await;
    assert_eq!((alarm.node_id, alarm.occurrences), (Some(node.id), 4));
    assert_eq!(venue.published::<NodeModeChanged>().await, []);
    let changes: i64 = sqlx::query_scalar("select count(*) from fleet.mode_changes")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(changes, 2_000);
}
