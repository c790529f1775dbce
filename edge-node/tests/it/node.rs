//! A node at a real broker: from the first connection through an outage and back.

use eventify_edge::clock::Clock;
use eventify_protocol::{
    ids::GateId,
    keys::SignedKeySet,
    lan::{NodeStatus, ScanAnswer},
    sync::{FeedEntry, Subject, TicketEntry, TicketState, Value},
    verdict::{DecidedBy, Mode, Verdict},
};

use crate::world::{Core, Scanner, Ticket, Venue, World, admitted, clock, refusal, scan_id};

fn decided(answer: &ScanAnswer) -> (&Verdict, DecidedBy) {
    (&answer.verdict, answer.decided_by)
}

pub(crate) fn assert_used(answer: &ScanAnswer, first_gate: Option<GateId>) {
    let Verdict::AlreadyUsed { first } = answer.verdict else {
        panic!("{answer:?}")
    };
    assert!(
        first_gate.is_none_or(|gate| first.gate == gate),
        "{answer:?}"
    );
}

/// The feed entry of a ticket that was taken back.
fn revoked(ticket: &Ticket) -> FeedEntry {
    FeedEntry {
        subject: Subject::Ticket(ticket.id),
        version: 2,
        value: Some(Value::Ticket(TicketEntry {
            state: TicketState::Revoked,
            ..ticket.entry.clone()
        })),
    }
}

async fn until_synced(world: &World, core: &Core) {
    world
        .until(|status| status.replica.digest == Some(core.digest()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_from_end_to_end() {
    let (mut world, core, mut scanner) = World::connected(&[]).await;
    let (north, south) = (world.venue.north, world.venue.south);
    let tickets = std::sync::Arc::clone(&world.tickets);
    let token = |ticket: usize| tickets[ticket].token.as_str();
    let status = world
        .until(|status| status.mode == Mode::Online && status.replica.tickets == 1_200)
        .await;
    assert_eq!(status.replica.digest, Some(core.digest()));
    assert_eq!(status.gates.len(), 2);

    // Online the core decides, and the other gate knows it.
    let first = scan_id();
    let answer = scanner.scan_as(north, first, token(0)).await.unwrap();
    assert_eq!(decided(&answer), (&Verdict::Admit, DecidedBy::Core));
    let again = scanner.scan_as(north, first, token(0)).await.unwrap();
    assert!(again.repeated && again.verdict == Verdict::Admit);
    assert_used(&scanner.scan(south, token(0)).await, Some(north));

    core.publish(vec![revoked(&tickets[1])]).await;
    until_synced(&world, &core).await;

    // The line is cut: the node goes on alone, and does not forget.
    core.line.cut();
    let alone = scan_id();
    let answer = scanner.scan_as(north, alone, token(2)).await.unwrap();
    assert_eq!(decided(&answer), (&Verdict::Admit, DecidedBy::Edge));
    assert_eq!(answer.mode, Mode::Degraded);
    let answer = scanner.scan(north, token(1)).await;
    assert_eq!(answer.verdict, Verdict::Revoked);
    let unknown = world.venue.ticket(9_999);
    let answer = scanner.scan(north, &unknown.token).await;
    assert_eq!(answer.verdict, Verdict::UnknownOffline);

    // A restart in the middle of it.
    world.stop().await;
    world.start(&[]).await;
    let url = format!("https://{}", world.node().address());
    let without_access = scanner.lan.at(&url).unwrap();
    assert_eq!(refusal(without_access.status().await), "401 token_expired");
    scanner.reconnect(&url).await;
    let repeat = scanner.scan_as(north, alone, token(2)).await.unwrap();
    assert!(repeat.repeated, "{repeat:?}");
    assert_eq!(repeat.verdict, Verdict::Admit);
    assert_used(&scanner.scan(south, token(2)).await, Some(north));
    assert_used(&scanner.scan(south, token(0)).await, None);

    // The line is back: the journal goes up, and both sides agree.
    core.line.heal();
    let status = world
        .until(|status| status.mode == Mode::Online && status.replica.digest == Some(core.digest()))
        .await;
    assert_eq!(status.journal.unacknowledged, 0);
    assert_eq!(admitted(&core.journal()), [first, alone]);
    assert_eq!(core.journal().last().unwrap().head(), status.journal.head);
    world.stop().await;
}

/// C08: the show is postponed. Online and alone the gate follows within a delta, and the code in the
/// guest's hand stays good.
#[tokio::test(flavor = "multi_thread")]
async fn a_gate_follows_a_show_that_moves_and_names_it() {
    let (mut world, core, scanner) = World::connected(&[]).await;
    let north = world.venue.north;
    let token = |ticket: usize| world.tickets[ticket].token.clone();
    world.until_ready().await;
    let over = world.venue.show(2, (1_000_000, 1_100_000));
    core.publish(vec![over]).await;
    until_synced(&world, &core).await;
    core.line.cut();
    let answer = scanner.scan(north, &token(0)).await;
    assert_eq!(answer.verdict, Verdict::Expired { expiry: 1_100_000 });
    core.line.heal();
    world.until_ready().await;
    let moved = world.venue.show(3, (1_000_000, 3_800_000_000));
    core.publish(vec![moved]).await;
    until_synced(&world, &core).await;
    core.line.cut();
    let answer = scanner.scan(north, &token(0)).await;
    assert_eq!(decided(&answer), (&Verdict::Admit, DecidedBy::Edge));
    let shown = answer.ticket.expect("a ticket of ours");
    assert_eq!(
        (shown.title.as_deref(), shown.category.as_str()),
        (Some("Opening night"), "A")
    );
    core.line.heal();
    world.until_ready().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_limit_nobody_decides() {
    let limit = [("admission.max_cache_age_ms", "3000")];
    let (mut world, core, scanner) = World::connected(&limit).await;
    let north = world.venue.north;
    world.until_ready().await;
    core.line.cut();
    let (first, token) = (scan_id(), &world.tickets[0].token);
    let answer = scanner.scan_as(north, first, token).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Admit);
    assert_eq!(answer.max_cache_age_ms, 3_000);
    world.until_mode(Mode::Locked).await;
    assert_locked(&scanner, &world, 1).await;
    let (code, report) = crate::tools::run(&world, &["doctor"]).await;
    let locked = "fail  mode         Locked (cache_too_old): nobody is let in here; its copy";
    assert!(code == 1 && report.contains(locked), "{report}");
    let guests = "fail  guests       nobody gets in here: it is locked";
    assert!(report.contains(guests), "{report}");
    let repeat = scanner.scan_as(north, first, token).await.unwrap();
    assert!(
        repeat.repeated && repeat.verdict == Verdict::Admit,
        "a final verdict is answered again"
    );
    assert!(repeat.cache_age_ms.unwrap() > 3_000, "with its age");
    core.line.heal();
    world.until_ready().await;
    world.stop().await;
}

async fn assert_locked(scanner: &Scanner, world: &World, ticket: usize) {
    let token = &world.tickets[ticket].token;
    let answer = scanner.scan(world.venue.north, token).await;
    assert_eq!(answer.verdict, Verdict::ResyncRequired);
    assert_eq!(answer.mode, Mode::Locked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_goes_silent_costs_one_scan_its_budget_and_no_more() {
    let (mut world, core, scanner) = World::connected(&[]).await;
    world.until_ready().await;
    core.mute_scans(true);
    let begin = clock().boottime();
    let token = &world.tickets[0].token;
    let answer = scanner.scan(world.venue.north, token).await;
    assert_eq!(decided(&answer), (&Verdict::Admit, DecidedBy::Edge));
    let waited = clock().boottime().since(begin);
    assert!(waited.as_millis() >= 300, "the core had {waited:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_the_broker_is_dropped_and_a_revoked_node_locks() {
    let (mut world, core, scanner) = World::connected(&[]).await;
    world.until_ready().await;
    for kind in ["delta", "point", "nonsense"] {
        core.send_garbage(kind).await;
    }
    core.revoke(true).await;
    let is_revoked = |status: &NodeStatus| status.reason.as_deref() == Some("revoked");
    world.until(is_revoked).await;
    assert_locked(&scanner, &world, 0).await;
    world.stop().await;
    core.line.cut();
    world.start(&[]).await;
    assert!(
        is_revoked(&world.node().handle().latest()),
        "also after a restart without the core"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_set_of_the_feed_counts_if_the_root_has_signed_it() {
    let (mut world, core, scanner) = World::connected(&[]).await;
    let venue = std::sync::Arc::clone(&world.venue);
    world.until_ready().await;
    let key_set = |version, signed: SignedKeySet| FeedEntry {
        subject: Subject::KeySet,
        version,
        value: Some(Value::KeySet(signed.as_bytes().to_vec())),
    };
    let ticket = venue.rotated_ticket(50_000);
    let rotated = key_set(2, venue.root.sign(&venue.rotated_keys()));
    core.publish(vec![rotated, ticket.feed_entry()]).await;
    until_synced(&world, &core).await;

    // Only the root decides which keys count, not even the feed does.
    let impostor = Venue::with_seed(100);
    let usurped = key_set(3, impostor.root.sign(&impostor.rotated_keys()));
    core.publish(vec![usurped]).await;
    until_synced(&world, &core).await;

    core.line.cut();
    let answer = scanner.scan(venue.north, &ticket.token).await;
    assert_eq!(decided(&answer), (&Verdict::Admit, DecidedBy::Edge));
    core.line.heal();
    world.until_ready().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_boot_locks_until_the_core_has_answered() {
    let (mut world, core, mut scanner) = World::connected(&[]).await;
    world.until_ready().await;
    core.line.cut();
    world.stop().await;
    let rebooted = Clock::of_boot(eventify_edge::clock::new_id());
    world.start_in_boot(rebooted, &[]).await;
    world.reconnect(&mut scanner).await;
    assert_locked(&scanner, &world, 0).await;
    core.line.heal();
    world.until_ready().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_on_which_bytes_stand_still_is_an_outage_like_any_other() {
    let (mut world, core, scanner) = World::connected(&[("link.silence_ms", "3000")]).await;
    world.until_ready().await;
    core.line.black_hole();
    let token = &world.tickets[0].token;
    let answer = scanner.scan(world.venue.north, token).await;
    assert_eq!(decided(&answer), (&Verdict::Admit, DecidedBy::Edge));
    world.until_mode(Mode::Degraded).await;
    core.line.heal();
    let status = world
        .until(|status| status.mode == Mode::Online && status.journal.unacknowledged == 0)
        .await;
    assert_eq!(core.journal().last().unwrap().head(), status.journal.head);
    world.stop().await;
}

/// Scanners show times as the venue's clocks do. Nothing is decided by it, so that the core says it beside the feed.
#[tokio::test(flavor = "multi_thread")]
async fn the_venues_time_zone_reaches_the_scanners_and_is_known_after_a_restart_without_the_core() {
    let (mut world, core, mut scanner) = World::connected(&[]).await;
    world.until_ready().await;
    assert_eq!(scanner.lan.status().await.unwrap().time_zone, None);
    core.say_time_zone("America/Los_Angeles").await;
    let zone = |status: &NodeStatus| status.time_zone.clone();
    let known = Some("America/Los_Angeles".to_owned());
    world.until(|status| zone(status) == known).await;
    assert_eq!(zone(&scanner.lan.status().await.unwrap()), known);
    // What is said of something else says nothing of it.
    core.revoke(false).await;
    core.line.cut();
    world.until_mode(Mode::Degraded).await;
    assert_eq!(zone(&scanner.lan.status().await.unwrap()), known);
    world.stop().await;
    world.start(&[]).await;
    world.reconnect(&mut scanner).await;
    assert_eq!(zone(&scanner.lan.status().await.unwrap()), known);
}
