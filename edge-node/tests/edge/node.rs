//! A node at a real broker: from the first connection through an outage and back.

use std::sync::Arc;

use crate::support::{
    Scanner, Ticket, Venue, admitted, config,
    core::{Core, SOON},
    scan_id,
};
use eventify_edge::{Node, clock::Clock, journal};
use eventify_protocol::{
    keys::SignedKeySet,
    lan::NodeStatus,
    sync::{FeedEntry, Subject, TicketState, Value},
    verdict::{DecidedBy, Mode, Verdict},
};
use tempfile::TempDir;
use tokio::time::timeout;

/// A node, its core, and a scanner.
struct Story {
    folder: TempDir,
    core: Core,
    node: Node,
    scanner: Scanner,
    tickets: Vec<Ticket>,
}

async fn story(settings: &[(&str, &str)]) -> Story {
    crate::support::use_ring();
    let venue = Venue::new();
    let tickets = venue.many_tickets(1_200);
    let core = Box::pin(Core::start(&tickets, venue)).await;
    let folder = tempfile::tempdir().unwrap();
    core.identity().save(folder.path()).unwrap();
    let node = start(&folder, settings).await;
    let scanner = Scanner::pair(&node.pairing_code(None).to_string(), 1)
        .await
        .unwrap();
    Story {
        folder,
        core,
        node,
        scanner,
        tickets,
    }
}

async fn start(folder: &TempDir, settings: &[(&str, &str)]) -> Node {
    let config = config(folder.path(), settings);
    Node::start(&config, Clock::of_this_boot().unwrap())
        .await
        .unwrap()
}

async fn until(node: &Node, wanted: impl Fn(&NodeStatus) -> bool) -> Arc<NodeStatus> {
    let waiting = node.handle().wait_for(|status| wanted(status));
    match timeout(SOON, waiting).await {
        Ok(status) => status.unwrap(),
        Err(_) => panic!("not in time; the node is {:#?}", node.handle().latest()),
    }
}

/// Online, and ready to go on alone.
async fn until_ready(node: &Node) {
    until(node, |status| {
        status.mode == Mode::Online && status.cache_age_ms.is_some()
    })
    .await;
}

async fn until_mode(node: &Node, mode: Mode) {
    until(node, |status| status.mode == mode).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_from_end_to_end() {
    let Story {
        folder,
        core,
        node,
        scanner,
        tickets,
    } = story(&[]).await;
    let venue = Arc::clone(&core.venue);
    let status = until(&node, |status| {
        status.mode == Mode::Online && status.replica.tickets == 1_200
    })
    .await;
    assert_eq!(status.replica.digest, Some(core.digest()));
    assert_eq!(status.gates.len(), 2);

    // Online the core decides, and the other gate hears of it.
    let first = scan_id();
    let answer = scanner
        .scan(venue.north, first, &tickets[0].token)
        .await
        .unwrap();
    assert_eq!(
        (answer.verdict, answer.decided_by),
        (Verdict::Admit, DecidedBy::Core)
    );
    let again = scanner
        .scan(venue.north, first, &tickets[0].token)
        .await
        .unwrap();
    assert!(again.repeated && again.verdict == Verdict::Admit);
    let second = scanner
        .scan(venue.south, scan_id(), &tickets[0].token)
        .await
        .unwrap();
    assert!(matches!(second.verdict, Verdict::AlreadyUsed { first } if first.gate == venue.north));

    // News of the feed are applied.
    let revoked = FeedEntry {
        subject: Subject::Ticket(tickets[1].id),
        version: 2,
        value: Some(Value::Ticket(eventify_protocol::sync::TicketEntry {
            state: TicketState::Revoked,
            ..tickets[1].entry.clone()
        })),
    };
    core.publish(vec![revoked]).await;
    until(&node, |status| status.replica.digest == Some(core.digest())).await;

    // The line is cut: the node goes on alone, and does not forget.
    core.line.cut();
    let alone = scan_id();
    let answer = scanner
        .scan(venue.north, alone, &tickets[2].token)
        .await
        .unwrap();
    assert_eq!(
        (answer.verdict, answer.mode, answer.decided_by),
        (Verdict::Admit, Mode::Degraded, DecidedBy::Edge)
    );
    let revoked = scanner
        .scan(venue.north, scan_id(), &tickets[1].token)
        .await
        .unwrap();
    assert_eq!(revoked.verdict, Verdict::Revoked);
    let unknown = venue.ticket(9_999);
    let unknown = scanner
        .scan(venue.north, scan_id(), &unknown.token)
        .await
        .unwrap();
    assert_eq!(unknown.verdict, Verdict::UnknownOffline);

    // A restart in the middle of it.
    node.stop().await.unwrap();
    let node = start(&folder, &[]).await;
    let mut scanner = Scanner {
        url: format!("https://{}", node.address()),
        ..scanner
    };
    let expired = scanner
        .scan(venue.north, scan_id(), &tickets[3].token)
        .await
        .unwrap_err();
    assert_eq!(
        (expired.status, expired.code.as_str()),
        (401, "token_expired")
    );
    scanner.refresh().await.unwrap();
    let repeat = scanner
        .scan(venue.north, alone, &tickets[2].token)
        .await
        .unwrap();
    assert!(
        repeat.repeated && repeat.verdict == Verdict::Admit,
        "{repeat:?}"
    );
    let other = scanner
        .scan(venue.south, scan_id(), &tickets[2].token)
        .await
        .unwrap();
    assert!(matches!(other.verdict, Verdict::AlreadyUsed { first } if first.gate == venue.north));
    let used = scanner
        .scan(venue.south, scan_id(), &tickets[0].token)
        .await
        .unwrap();
    assert!(
        matches!(used.verdict, Verdict::AlreadyUsed { .. }),
        "{used:?}"
    );

    // The line is back: the journal goes up, and both sides agree.
    core.line.heal();
    let status = until(&node, |status| {
        status.mode == Mode::Online && status.replica.digest == Some(core.digest())
    })
    .await;
    assert_eq!(status.journal.unacknowledged, 0);
    assert_eq!(admitted(&core.journal()), [first, alone]);
    assert_eq!(core.journal().last().unwrap().head(), status.journal.head);
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_limit_nobody_decides() {
    let limit = [("admission.max_cache_age_ms", "3000")];
    let Story {
        folder: _folder,
        core,
        node,
        scanner,
        tickets,
    } = story(&limit).await;
    let venue = Arc::clone(&core.venue);
    until_ready(&node).await;
    core.line.cut();
    let first = scan_id();
    let answer = scanner
        .scan(venue.north, first, &tickets[0].token)
        .await
        .unwrap();
    assert_eq!(
        (answer.verdict, answer.max_cache_age_ms),
        (Verdict::Admit, 3_000)
    );
    until_mode(&node, Mode::Locked).await;
    let locked = scanner
        .scan(venue.north, scan_id(), &tickets[1].token)
        .await
        .unwrap();
    assert_eq!(
        (locked.verdict, locked.mode),
        (Verdict::ResyncRequired, Mode::Locked)
    );
    let repeat = scanner
        .scan(venue.north, first, &tickets[0].token)
        .await
        .unwrap();
    assert!(
        repeat.repeated && repeat.verdict == Verdict::Admit,
        "a final verdict is told again"
    );
    assert!(repeat.cache_age_ms.unwrap() > 3_000, "with its age");
    core.line.heal();
    until_ready(&node).await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_goes_silent_costs_one_scan_its_budget_and_no_more() {
    let Story {
        folder: _folder,
        core,
        node,
        scanner,
        tickets,
    } = story(&[]).await;
    let venue = Arc::clone(&core.venue);
    until_ready(&node).await;
    core.mute_scans(true);
    let clock = Clock::of_this_boot().unwrap();
    let asked = clock.boottime();
    let answer = scanner
        .scan(venue.north, scan_id(), &tickets[0].token)
        .await
        .unwrap();
    assert_eq!(
        (answer.verdict, answer.decided_by),
        (Verdict::Admit, DecidedBy::Edge)
    );
    let waited = clock.boottime().since(asked);
    assert!(waited.as_millis() >= 300, "the core had {waited:?}");
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_the_broker_is_dropped_and_a_revoked_node_locks() {
    let Story {
        folder,
        core,
        node,
        scanner,
        tickets,
    } = story(&[]).await;
    let venue = Arc::clone(&core.venue);
    until_ready(&node).await;
    for kind in ["delta", "point", "nonsense"] {
        core.say_garbage(kind).await;
    }
    core.revoke(true).await;
    let revoked = |status: &NodeStatus| status.reason.as_deref() == Some("revoked");
    until(&node, revoked).await;
    let answer = scanner
        .scan(venue.north, scan_id(), &tickets[0].token)
        .await
        .unwrap();
    assert_eq!(answer.verdict, Verdict::ResyncRequired);
    node.stop().await.unwrap();
    core.line.cut();
    let node = start(&folder, &[]).await;
    assert!(
        revoked(&node.handle().latest()),
        "also after a restart without the core"
    );
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_set_of_the_feed_counts_if_the_root_has_signed_it() {
    let Story {
        folder: _folder,
        core,
        node,
        scanner,
        ..
    } = story(&[]).await;
    let venue = Arc::clone(&core.venue);
    until_ready(&node).await;
    let key_set = |version, signed: SignedKeySet| FeedEntry {
        subject: Subject::KeySet,
        version,
        value: Some(Value::KeySet(signed.as_bytes().to_vec())),
    };
    let ticket = venue.rotated_ticket(50_000);
    let rotated = key_set(2, venue.root.sign(&venue.rotated_keys()));
    core.publish(vec![rotated, ticket.feed_entry()]).await;
    until(&node, |status| status.replica.digest == Some(core.digest())).await;

    // Nobody but the root says which keys count, not even the feed.
    let impostor = Venue::with_seed(100);
    let usurped = key_set(3, impostor.root.sign(&impostor.rotated_keys()));
    core.publish(vec![usurped]).await;
    until(&node, |status| status.replica.digest == Some(core.digest())).await;

    core.line.cut();
    let answer = scanner
        .scan(venue.north, scan_id(), &ticket.token)
        .await
        .unwrap();
    assert_eq!(
        (answer.verdict, answer.decided_by),
        (Verdict::Admit, DecidedBy::Edge)
    );
    core.line.heal();
    until_ready(&node).await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_boot_locks_until_the_core_has_answered() {
    let Story {
        folder,
        core,
        node,
        scanner,
        tickets,
    } = story(&[]).await;
    let venue = Arc::clone(&core.venue);
    until_ready(&node).await;
    core.line.cut();
    node.stop().await.unwrap();
    let rebooted = Clock::of_boot(eventify_edge::clock::new_id());
    let node = Node::start(&config(folder.path(), &[]), rebooted)
        .await
        .unwrap();
    let mut scanner = Scanner {
        url: format!("https://{}", node.address()),
        ..scanner
    };
    scanner.refresh().await.unwrap();
    let locked = scanner
        .scan(venue.north, scan_id(), &tickets[0].token)
        .await
        .unwrap();
    assert_eq!(
        (locked.verdict, locked.mode),
        (Verdict::ResyncRequired, Mode::Locked)
    );
    core.line.heal();
    until_ready(&node).await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_on_which_bytes_stand_still_is_an_outage_like_any_other() {
    let Story {
        folder: _folder,
        core,
        node,
        scanner,
        tickets,
    } = story(&[("link.silence_ms", "3000")]).await;
    let venue = Arc::clone(&core.venue);
    until_ready(&node).await;
    core.line.black_hole();
    let first = scanner
        .scan(venue.north, scan_id(), &tickets[0].token)
        .await
        .unwrap();
    assert_eq!(
        (first.verdict, first.decided_by),
        (Verdict::Admit, DecidedBy::Edge)
    );
    until_mode(&node, Mode::Degraded).await;
    core.line.heal();
    let status = until(&node, |status| {
        status.mode == Mode::Online && status.journal.unacknowledged == 0
    })
    .await;
    assert_eq!(core.journal().last().unwrap().head(), status.journal.head);
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_set_back_begins_a_new_chain_and_keeps_the_old_one() {
    let Story {
        folder,
        core,
        node,
        mut scanner,
        tickets,
    } = story(&[]).await;
    let venue = Arc::clone(&core.venue);
    until_ready(&node).await;
    scanner
        .scan(venue.north, scan_id(), &tickets[0].token)
        .await
        .unwrap();
    node.stop().await.unwrap();
    let image = tempfile::tempdir().unwrap();
    copy(folder.path(), image.path());

    // What happens now is not in the image.
    let node = start(&folder, &[]).await;
    scanner.url = format!("https://{}", node.address());
    scanner.refresh().await.unwrap();
    until_ready(&node).await;
    scanner
        .scan(venue.north, scan_id(), &tickets[1].token)
        .await
        .unwrap();
    let forgotten = until(&node, |status| {
        status.journal.head.seq == 3 && status.journal.unacknowledged == 0
    })
    .await;
    node.stop().await.unwrap();

    let node = start(&image, &[]).await;
    scanner.url = format!("https://{}", node.address());
    scanner.refresh().await.unwrap();
    let forked = until(&node, |status| {
        status.mode == Mode::Online
            && status.journal.head.incarnation != forgotten.journal.head.incarnation
            && status.journal.unacknowledged == 0
    })
    .await;
    // The core's entries are news to this image, and stand.
    let used = scanner
        .scan(venue.south, scan_id(), &tickets[1].token)
        .await
        .unwrap();
    assert!(
        matches!(used.verdict, Verdict::AlreadyUsed { .. }),
        "{used:?}"
    );
    node.stop().await.unwrap();
    let reader = journal::Reader::open(&journal::path(image.path())).unwrap();
    let chains = reader.chains().unwrap();
    assert_eq!(chains.len(), 2);
    assert_eq!(chains[1].head.incarnation, forked.journal.head.incarnation);
    journal::export(&reader, &mut std::io::sink()).unwrap();
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
