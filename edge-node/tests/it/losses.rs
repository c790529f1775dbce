//! A node whose journal is not what it was: it says so and stops, and goes on when somebody says so.

use std::{fs, path::Path, sync::Arc};

use eventify_edge::{Node, config::Config, journal};
use eventify_protocol::verdict::{Mode, Verdict};

use crate::{
    node::assert_used,
    tools::run,
    world::{Process, World, clock, pair, variables},
};

/// Why the node does not start.
async fn refusal_to_start(folder: &Path) -> String {
    let config = Config::load(None, variables(folder, &[])).unwrap();
    let refused = Node::start(&config, clock()).await;
    refused.unwrap_err().to_string()
}

/// A node that was cut off, let two guests in, and was stopped.
async fn two_guests() -> World {
    let mut world = World::alone(&[]).await;
    let scanner = world.scanner(1).await;
    let north = world.venue.north;
    let tickets = Arc::clone(&world.tickets);
    for ticket in &tickets[..2] {
        let answer = scanner.scan(north, &ticket.token).await;
        assert_eq!(answer.verdict, Verdict::Admit);
    }
    world.stop().await;
    world
}

/// C41: after the journal's file was deleted, the node started in silence, and both guests were let in
/// again.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_journal_is_gone_lets_nobody_in_again() {
    let mut world = two_guests().await;
    for file in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        drop(fs::remove_file(world.folder.path().join(file)));
    }
    let error = refusal_to_start(world.folder.path()).await;
    for words in ["3 rows", "export-journal", "restart-journal"] {
        assert!(error.contains(words), "{error}");
    }
    assert!(
        !journal::path(world.folder.path()).exists(),
        "none was made"
    );
    let (code, _) = run(&world, &["run"]).await;
    assert_eq!(code, 65);
    let (_, report) = run(&world, &["doctor"]).await;
    assert!(report.contains("fail  journal"), "{report}");

    let (code, text) = run(&world, &["restart-journal"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("after row 3"), "{text}");
    world.start(&[]).await;
    let scanner = world.scanner(2).await;
    let (north, tickets) = (world.venue.north, Arc::clone(&world.tickets));
    for ticket in &tickets[..3] {
        let answer = scanner.scan(north, &ticket.token).await;
        assert_eq!(
            answer.verdict,
            Verdict::ResyncRequired,
            "the core is asked first"
        );
    }
    world.stop().await;
    let (code, _) = run(&world, &["restart-journal"]).await;
    assert_eq!(code, 1, "nothing is lost now");
}

/// C41: "disk image is malformed", 0 rows exported, and no remedy.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_is_kept_and_its_node_told_what_to_do() {
    let mut world = two_guests().await;
    for companion in ["journal.sqlite-wal", "journal.sqlite-shm"] {
        drop(fs::remove_file(world.folder.path().join(companion)));
    }
    let path = journal::path(world.folder.path());
    fs::write(&path, [0x5a; 8_192]).unwrap();
    let error = refusal_to_start(world.folder.path()).await;
    for words in ["damaged", "export-journal", "restart-journal"] {
        assert!(error.contains(words), "{error}");
    }
    let (_, report) = run(&world, &["doctor"]).await;
    assert!(report.contains("restart-journal"), "{report}");
    let (code, text) = run(&world, &["restart-journal"]).await;
    assert_eq!(code, 0, "{text}");
    let kept = fs::read_dir(world.folder.path()).unwrap();
    let mut kept = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(kept.any(|name| name.starts_with("journal-lost-")));
    world.start(&[]).await;
    world.stop().await;
}

/// C41: the core knew of rows that the disk did not have; the node went on without a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_set_back_stops_its_node_until_somebody_goes_on() {
    let (mut world, _core, mut scanner) = World::connected(&[]).await;
    let (north, south) = (world.venue.north, world.venue.south);
    let tickets = Arc::clone(&world.tickets);
    world.until_ready().await;
    scanner.scan(north, &tickets[0].token).await;
    world.stop().await;
    let image = tempfile::tempdir().unwrap();
    copy(world.folder.path(), image.path());

    // What happens now is not in the image.
    world.start(&[]).await;
    world.reconnect(&mut scanner).await;
    world.until_ready().await;
    scanner.scan(north, &tickets[1].token).await;
    let lost = world
        .until(|status| status.journal.head.seq == 3 && status.journal.unacknowledged == 0)
        .await;
    world.stop().await;

    world.folder = image;
    world.start(&[]).await;
    let ended = world.node.take().unwrap().ended().await;
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("1 rows are missing"), "{error}");
    assert_eq!(refusal_to_start(world.folder.path()).await, error);

    let (code, text) = run(&world, &["restart-journal"]).await;
    assert_eq!(code, 0, "{text}");
    world.start(&[]).await;
    world.reconnect(&mut scanner).await;
    world
        .until(|status| {
            status.mode == Mode::Online
                && status.journal.head.incarnation != lost.journal.head.incarnation
                && status.journal.unacknowledged == 0
        })
        .await;
    // The core's entries are news to this image, and stand.
    assert_used(&scanner.scan(south, &tickets[1].token).await, None);
    world.stop().await;
    let reader = journal::Reader::open(&journal::path(world.folder.path())).unwrap();
    journal::export(&reader, &mut std::io::sink()).unwrap();
}

/// After half of a disk was restored, the node started with no scanner and without a word; at the doors
/// each of them was refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_pairings_are_gone_says_so_at_the_start() {
    let world = World::stopped(1);
    let folder = world.folder.path();
    let start_and_end = async || {
        let log = Process::start(folder).await.kill().await;
        log.into_iter()
            .find(|line| line["code"] == "lan.pairings_lost")
    };
    let doctor = async || run(&world, &["doctor"]).await.1;
    assert!(doctor().await.contains("ok    scanners     none yet"));
    let node = Process::start(folder).await;
    pair(folder).await;
    node.kill().await;
    assert!(doctor().await.contains("ok    scanners     1 paired"));
    assert_eq!(start_and_end().await, None);

    fs::remove_file(folder.join("scanners.json")).unwrap();
    let report = doctor().await;
    for words in [
        "fail  scanners",
        "0 are paired, and 1 were",
        "eventify-edge pair",
    ] {
        assert!(report.contains(words), "{words} in\n{report}");
    }
    let line = start_and_end().await.expect("the start says it");
    assert_eq!(line["level"], "WARN");
    assert_eq!((&line["paired"], &line["noted"]), (&0.into(), &1.into()));

    let node = Process::start(folder).await;
    pair(folder).await;
    node.kill().await;
    assert_eq!(start_and_end().await, None);
    assert!(doctor().await.contains("ok    scanners     1 paired"));
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
