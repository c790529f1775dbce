//! Rules that no longer story covers, one by one (`ADMISSION` 1 to 6).

use std::time::Duration;

use eventify_protocol::{
    hash::Hash32,
    ids::{NodeId, VenueId},
    sync::{
        Config, DIGEST_ALGORITHM, Digest, DigestKey, JournalBatch, NodeEntry, Nonce, Plan,
        PolicyEntry, Position, Subject, SyncPoint, TicketState, Up, Value, Welcome,
    },
    time::{CoreTime, MAX_CACHE_AGE},
    verdict::{Mode, Verdict},
};
use eventify_sync::{
    edge::{Alarm, CoreMessage, Input, MAX_BATCH_BYTES, Output, Reason, ReplicaOutput, Reply},
    token::TokenCheck,
};
use uuid::Uuid;

use super::venue::{EPOCH, GATE, NODE, VENUE, Venue, digest_at, scan_id, ticket_id, token};

const MS: fn(u64) -> Duration = Duration::from_millis;
const S: fn(u64) -> Duration = Duration::from_secs;

fn is_ask(message: &Up) -> bool {
    matches!(message, Up::Ask(_))
}

fn is_hello(message: &Up) -> bool {
    matches!(message, Up::Hello(_))
}

fn drops(output: &Output) -> bool {
    matches!(output, Output::Replica(ReplicaOutput::Discard { .. }))
}

fn batches(venue: &mut Venue) -> Vec<JournalBatch> {
    let journal = |message| {
        if let Up::Journal(batch) = message {
            Some(batch)
        } else {
            None
        }
    };
    std::iter::from_fn(|| venue.sent(|_, message| journal(message))).collect()
}

/// Online, and the next question is on its way.
fn asking() -> Venue {
    let mut venue = Venue::online();
    venue.wait(MS(500));
    venue
}

#[test]
fn a_quiet_node_asks_every_two_seconds() {
    let mut venue = asking();
    for _ in 0..5 {
        venue.answer_question();
        assert_eq!(venue.count_sent(is_ask), 0);
        venue.wait(MS(1_999));
        assert_eq!(venue.count_sent(is_ask), 0);
        venue.wait(MS(1));
    }
}

#[test]
fn a_point_of_another_node_or_venue_proves_nothing() {
    let mut venue = asking();
    let nonce_of = |message| {
        if let Up::Ask(ask) = message {
            Some(ask.nonce)
        } else {
            None
        }
    };
    let nonce: Nonce = venue.sent(|_, message| nonce_of(message)).expect("asks");
    let before = venue.status().cache_age;
    let other = Uuid::from_u128(99);
    let at = CoreTime(2_000_000);
    for (node, of, counts) in [
        (NodeId(other), VENUE, false),
        (NODE, VenueId(other), false),
        (NODE, VENUE, true),
    ] {
        venue.receive(CoreMessage::Point(SyncPoint {
            nonce,
            node,
            venue: of,
            epoch: EPOCH,
            position: Position(50),
            digest: digest_at(50),
            truth: at,
            core: at,
        }));
        assert_eq!(venue.status().cache_age < before, counts);
    }
}

#[test]
fn configuration_lowers_the_limit_and_never_raises_it() {
    for (configured, policy, limit) in [(10, 20, 10), (900, 20, 20), (900, 600, 300)] {
        let mut venue = Venue::closed();
        venue.configured_limit = S(configured);
        venue.restart(10);
        let max_cache_age_ms = policy * 1_000;
        venue.state(
            Subject::Policy,
            Value::Policy(PolicyEntry {
                max_cache_age_ms,
                ..PolicyEntry::default()
            }),
        );
        assert_eq!(venue.status().limit, S(limit));
    }
}

#[test]
fn a_row_says_between_which_core_times_it_was_made() {
    let mut venue = Venue::cut_off();
    venue.wait(S(1));
    venue.scan(scan_id(1), token(1));
    let at = venue.rows().last().expect("a row").row().at;
    let now = CoreTime(i64::try_from(at.boottime.0 / 1_000).expect("a short test"));
    let span = at.core.expect("the core has answered");
    assert!(span.earliest <= now && now <= span.latest, "{span:?}");
    assert!(span.latest.since(span.earliest) < MS(300), "{span:?}");
}

#[test]
fn a_revoked_node_locks_and_knows_it_after_a_restart() {
    let mut venue = Venue::online();
    venue.receive(CoreMessage::Config(Config {
        revoked: true,
        duplicate: None,
        scanners: None,
        time_zone: None,
    }));
    venue.restart(10);
    assert_eq!(venue.status().reason, Some(Reason::Revoked));
    venue.scan(scan_id(1), token(1));
    assert_eq!(venue.answer().verdict, Verdict::ResyncRequired);
    venue.receive(CoreMessage::Config(Config {
        revoked: false,
        duplicate: None,
        scanners: None,
        time_zone: None,
    }));
    assert_ne!(venue.status().reason, Some(Reason::Revoked));
    let entry = NodeEntry {
        label: "edge".to_owned(),
        gates: vec![GATE],
        revoked: true,
    };
    venue.state(Subject::Node(NODE), Value::Node(entry));
    let status = venue.status();
    assert_eq!(
        (status.mode, status.reason),
        (Mode::Locked, Some(Reason::Revoked)),
        "the feed says so"
    );
}

#[test]
fn an_id_that_still_waits_is_bound_as_well() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.scan(scan_id(1), token(2));
    assert_eq!(venue.reply(), Some(Reply::ScanIdReused));
    venue.verdict(scan_id(1), Verdict::Admit);
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    assert_eq!(venue.reply(), None, "nobody else was answered");
}

#[test]
fn what_the_core_decided_is_measured_by_the_constant_limit() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    let answer = venue.answer();
    assert_eq!(
        (answer.cache_age, answer.limit),
        (Some(Duration::ZERO), MAX_CACHE_AGE)
    );
    venue.step(Input::Disconnected);
    venue.wait(S(21));
    venue.scan(scan_id(1), token(1));
    let again = venue.answer();
    assert_eq!(again.limit, MAX_CACHE_AGE);
    let age = again.cache_age.expect("known");
    assert!(S(21) <= age && age < S(22), "{age:?}");
}

#[test]
fn a_point_behind_the_replica_is_compared_where_it_was_taken() {
    for agrees in [true, false] {
        let mut venue = asking();
        let before = venue.status().cache_age;
        for _ in 0..3 {
            venue.publish(ticket_id(1), TicketState::Valid);
        }
        let digest = if agrees {
            digest_at(51)
        } else {
            Digest(Hash32([1; 32]))
        };
        venue.answer_question_at(51, digest);
        assert_eq!(venue.outputs.iter().any(drops), !agrees);
        let younger = venue
            .status()
            .cache_age
            .is_some_and(|age| Some(age) < before);
        assert_eq!(younger, agrees);
    }
}

#[test]
fn a_replica_that_was_discarded_is_fetched_a_little_later() {
    let mut venue = asking();
    venue.answer_question_at(50, Digest(Hash32([1; 32])));
    assert!(venue.outputs.iter().any(drops));
    assert_eq!(
        venue.count_sent(is_hello),
        0,
        "others have the same problem"
    );
    venue.wait(S(2));
    assert!(venue.count_sent(is_hello) > 0);
}

#[test]
fn rows_that_do_not_add_up_discard_the_replica() {
    for (digest, sound) in [(digest_at(50), true), (Digest(Hash32([1; 32])), false)] {
        let mut venue = Venue::cut_off();
        let position = Position(50);
        venue.step(Input::DigestRecomputed { position, digest });
        let alarmed = |output: &Output| matches!(output, Output::Alarm(Alarm::ReplicaDamaged));
        assert_eq!(venue.outputs.iter().any(alarmed), !sound);
        assert_eq!(venue.outputs.iter().any(drops), !sound);
    }
}

#[test]
fn a_digest_that_it_can_not_count_makes_no_replica() {
    let mut venue = Venue::closed();
    venue.step(Input::Connected);
    venue.answer_question();
    let (hello, _) = venue.sent_hello().expect("a hello");
    let from = Position(50);
    venue.receive(CoreMessage::Welcome(Welcome {
        answers: hello,
        epoch: EPOCH,
        head: from,
        algorithm: DIGEST_ALGORITHM + 1,
        digest_key: DigestKey(Hash32([6; 32])),
        plan: Plan::Delta { from },
        journal: None,
    }));
    let alarmed =
        |output: &Output| matches!(output, Output::Alarm(Alarm::UnknownDigestAlgorithm(_)));
    assert!(venue.outputs.iter().any(alarmed));
    assert_ne!(
        venue.status().mode,
        Mode::Online,
        "this node can't use the welcome"
    );
}

#[test]
fn the_core_is_not_asked_about_what_is_no_ticket() {
    let mut venue = Venue::online();
    let hash = Hash32([1; 32]);
    let forged = TokenCheck::Forged {
        hash: hash.0.into(),
    };
    for (number, checked, verdict) in [
        (1, TokenCheck::Unreadable { hash }, Verdict::Unreadable),
        (2, forged, Verdict::Forged),
    ] {
        venue.scan(scan_id(number), checked);
        let answer = venue.answer();
        assert_eq!((answer.verdict, answer.mode), (verdict, Mode::Online));
    }
    assert!(venue.sent_scan().is_none());
}

#[test]
fn two_batches_are_on_the_way_and_no_more() {
    let mut venue = Venue::cut_off();
    for number in 0..500_u16 {
        let mut hash = [0; 32];
        hash[..2].copy_from_slice(&number.to_be_bytes());
        let hash = hash.into();
        venue.scan(scan_id(number.into()), TokenCheck::Forged { hash });
    }
    venue.step(Input::Connected);
    venue.welcome();
    let open = batches(&mut venue);
    assert_eq!(open.len(), 2);
    for batch in &open {
        let bytes: usize = batch.rows.iter().map(|row| row.len()).sum();
        assert!(bytes <= MAX_BATCH_BYTES, "{bytes}");
    }
    // The first row was acknowledged before.
    let end = venue.rows()[open[0].rows.len()].head();
    venue.acknowledge_end(end, EPOCH);
    assert_eq!(batches(&mut venue).len(), 1, "as soon as one is through");
}
