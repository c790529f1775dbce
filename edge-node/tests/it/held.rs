//! C11: a backup, a virus scanner or a database browser holds the node's files during the show.

use std::{path::Path, sync::Arc, thread, time::Duration};

use eventify_edge::journal;
use eventify_protocol::{
    lan::JournalFault,
    verdict::{Mode, Verdict},
};
use rusqlite::Connection;
use tokio::{process::Command, sync::oneshot, time::timeout};

use crate::{
    tools::{run, run_with},
    world::{PROGRAM, Process, SOON, World, pair, scan_id, variables},
};

/// Longer than SQLite itself waits for a lock.
const LONG: Duration = Duration::from_secs(7);

/// So long a scanner waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Another program that writes to a database, until it is dropped.
struct Holder(Connection);

impl Holder {
    fn of(path: &Path) -> Self {
        let connection = Connection::open(path).unwrap();
        connection.busy_timeout(LONG).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(connection)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

/// C11: after five seconds the process had ended, and the gate with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_gate_whose_journal_is_held_says_so_and_goes_on_by_itself() {
    let world = World::alone(&[]).await;
    let scanner = world.scanner(1).await;
    let (north, tickets) = (world.venue.north, Arc::clone(&world.tickets));
    let first = scanner.scan(north, &tickets[0].token).await;
    assert_eq!(first.verdict, Verdict::Admit);

    let holder = Holder::of(&journal::path(world.folder.path()));
    let waits = scan_id();
    let answered = timeout(PATIENCE, scanner.scan_as(north, waits, &tickets[1].token));
    let answer = answered.await.expect("before the scanner gives up");
    assert_eq!(answer.unwrap().verdict, Verdict::NodeFault);
    let status = world.node().handle().status().await.unwrap();
    assert_eq!(status.journal.fault, Some(JournalFault::Held));
    let next = scanner.scan(north, &tickets[2].token).await;
    assert_eq!(
        next.verdict,
        Verdict::NodeFault,
        "at once, and nothing waits"
    );
    // The scanner asks again with the same id.
    let again = scanner.scan_as(north, waits, &tickets[1].token).await;
    assert_eq!(again.unwrap().verdict, Verdict::NodeFault);
    // It lives, and counts on, for longer than SQLite has patience.
    let held = world.until(|status| status.cache_age_ms.is_some()).await;
    let long = held.cache_age_ms.unwrap() + u64::try_from(LONG.as_millis()).unwrap();
    world.until(|status| status.cache_age_ms > Some(long)).await;

    drop(holder);
    world.until(|status| status.journal.fault.is_none()).await;
    // The guest has gone to another gate meanwhile: nobody was let in by the scan that got no verdict.
    let elsewhere = scanner.scan(north, &tickets[1].token).await;
    assert_eq!(elsewhere.verdict, Verdict::Admit);
    let late = scanner.scan_as(north, waits, &tickets[1].token).await;
    let late = late.unwrap().verdict;
    assert!(matches!(late, Verdict::AlreadyUsed { .. }), "{late:?}");
    let next = scanner.scan(north, &tickets[2].token).await;
    assert_eq!(next.verdict, Verdict::Admit);
    let status = world.node().handle().status().await.unwrap();
    assert_eq!(
        status.gates.iter().map(|gate| gate.admitted).sum::<u64>(),
        3
    );
}

/// The restart finds what the gate had in hand as it was said: a scan without a verdict let nobody in.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_ends_while_its_journal_is_held_has_let_in_nobody_behind_a_node_fault() {
    let mut world = World::alone(&[]).await;
    let mut scanner = world.scanner(1).await;
    let north = world.venue.north;
    let token = world.tickets[0].token.clone();
    let holder = Holder::of(&journal::path(world.folder.path()));
    let waits = scan_id();
    let answer = scanner.scan_as(north, waits, &token).await.unwrap();
    assert_eq!(answer.verdict, Verdict::NodeFault);
    drop(holder);
    world.stop().await;

    world.start(&[]).await;
    world.reconnect(&mut scanner).await;
    let other = scanner.scan(north, &token).await;
    assert_eq!(other.verdict, Verdict::Admit, "the ticket was not used");
    let late = scanner.scan_as(north, waits, &token).await.unwrap().verdict;
    assert!(matches!(late, Verdict::AlreadyUsed { .. }), "{late:?}");
}

/// C11: a node that was started during a backup ended after five seconds, again and again; and it threw
/// its cache away, because it could not be opened.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_during_a_backup_is_there_when_the_backup_is_done() {
    for file in ["journal", "replica"] {
        let mut world = World::alone(&[]).await;
        let folder = world.folder.path().to_owned();
        world.stop().await;
        let path = match file {
            "journal" => journal::path(&folder),
            _ => folder.join("replica-1.sqlite"),
        };
        let (held, is_held) = oneshot::channel();
        let backup = thread::spawn(move || {
            // Nobody else may have it open.
            let connection = Connection::open(path).unwrap();
            connection
                .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
                .unwrap();
            held.send(()).unwrap();
            thread::park_timeout(LONG);
            connection.execute_batch("ROLLBACK").unwrap();
        });
        is_held.await.unwrap();
        world.start(&[]).await;
        backup.join().unwrap();
        world.until_mode(Mode::Degraded).await;
        let scanner = world.scanner(1).await;
        let answer = scanner
            .scan(world.venue.north, &world.tickets[0].token)
            .await;
        assert_eq!(answer.verdict, Verdict::Admit, "{file}: the cache is there");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_and_status_name_the_program_that_holds_the_journal() {
    let world = World::stopped(10);
    let mut node = Process::start(world.folder.path()).await;
    let scanner = pair(world.folder.path()).await;
    let (_, report) = run(&world, &["doctor"]).await;
    assert!(!report.contains("warn  files"), "the node itself: {report}");

    let holder = Holder::of(&journal::path(world.folder.path()));
    let (_, report) = run(&world, &["doctor"]).await;
    let me = format!("(process {})", std::process::id());
    assert!(report.contains("warn  files"), "{report}");
    assert!(report.contains(&me), "{report}");
    let north = world.venue.north;
    let token = world.tickets[0].token.clone();
    let answer = scanner.scan(north, &token).await;
    assert_eq!(answer.verdict, Verdict::NodeFault);
    let fault = format!("{me} holds the journal");
    let shown = async { while !run(&world, &["status"]).await.1.contains(&fault) {} };
    timeout(SOON, shown).await.expect("status says so");
    drop(holder);
    node.until_logged("journal.free").await;
    let lines = node.kill().await;
    let held = lines.iter().find(|line| line["code"] == "journal.held");
    let by = held.expect("logged")["by"].as_str().unwrap();
    assert!(by.contains(&me), "{by}");
}

/// Lets the journal's log grow as the rows of a long show would, and takes no other room.
fn grow_log(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE filler (bytes BLOB);
             INSERT INTO filler VALUES (zeroblob(41943040));
             DROP TABLE filler",
        )
        .unwrap();
}

/// C11: the rows' log can't be used again while somebody reads the file. It stayed as large as it was, and the
/// gate closed, when the reader was long gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_another_program_lets_grow_takes_room_until_that_program_is_gone() {
    let settings = [
        ("journal.max_bytes", "50331648"),
        ("journal.reserve_bytes", "41943040"),
    ];
    let world = World::stopped(10);
    let folder = world.folder.path();
    let mut command = Command::new(PROGRAM);
    command
        .arg("run")
        .env_clear()
        .envs(variables(folder, &settings));
    let mut node = Process::start_by(command, folder).await;
    let scanner = pair(folder).await;
    let (north, tickets) = (world.venue.north, &world.tickets);
    let first = scanner.scan(north, &tickets[0].token).await;
    assert_eq!(first.verdict, Verdict::Admit);

    let reader = Connection::open(journal::path(folder)).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM rows")
        .unwrap();
    grow_log(&journal::path(folder));
    let status = async |wanted: bool| {
        let shown = async {
            loop {
                let (_, text) = run_with(&world, &settings, &["status"]).await;
                if text.contains("no space is left for the journal") == wanted {
                    break text;
                }
            }
        };
        timeout(SOON, shown).await.expect("status says so")
    };
    let text = status(true).await;
    let me = format!("(process {}), which reads the journal", std::process::id());
    assert!(text.contains(&me) && text.contains("takes 9 MiB"), "{text}");
    let (_, report) = run_with(&world, &settings, &["doctor"]).await;
    assert!(
        report.contains("fail  space") && report.contains(&me),
        "{report}"
    );
    let refused = scanner.scan(north, &tickets[1].token).await;
    assert_eq!(refused.verdict, Verdict::NodeFault);

    drop(reader);
    status(false).await;
    let next = scanner.scan(north, &tickets[1].token).await;
    assert_eq!(next.verdict, Verdict::Admit, "the room is back");
    let (_, report) = run_with(&world, &settings, &["doctor"]).await;
    assert!(!report.contains("fail  space"), "{report}");
    node.until_logged("journal.no_space").await;
}
