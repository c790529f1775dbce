//! The real program, killed with SIGKILL again and again while it decides.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use eventify_edge::{clock::Clock, control, journal};
use eventify_protocol::{
    ids::{GateId, ScanId},
    sync::JournalEntry,
    verdict::Verdict,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::watch,
};

use crate::support::{Scanner, Ticket, Venue, scan_id, settings_for, use_ring};

const PROGRAM: &str = env!("CARGO_BIN_EXE_eventify-edge");
const KILLS: usize = 8;
/// Scans asked at once.
const SCANNING: usize = 12;

/// A running node, as a process of its own.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    async fn start(data_dir: &Path) -> Self {
        let json = ("log.format", "json");
        let mut child = Command::new(PROGRAM)
            .arg("run")
            .env_clear()
            .envs(settings_for(data_dir, &[json]))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = loop {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .expect("the node says that it has started");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["code"] == "node.started" {
                break format!("https://{}", line["address"].as_str().unwrap());
            }
        };
        // Nobody reads on, but the node must not wait for that.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, url }
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

async fn pairing_code(data_dir: &Path) -> String {
    let question = control::Question::Pair { gates: None };
    let answer = control::ask(data_dir, &question).await.unwrap();
    let control::Answer::PairingCode { code, .. } = answer else {
        panic!("{answer:?}")
    };
    code
}

/// What a scanner was told, by scan id.
type Told = BTreeMap<ScanId, (usize, Verdict)>;

/// Scans ticket after ticket until the node is gone.
async fn scan_on(
    scanner: Scanner,
    gate: GateId,
    tickets: Arc<Vec<Ticket>>,
    next: Arc<AtomicUsize>,
    answered: watch::Sender<usize>,
) -> Told {
    let mut told = Told::new();
    loop {
        let ticket = next.fetch_add(1, Ordering::Relaxed);
        let scan = scan_id();
        let token = &tickets[ticket % tickets.len()].token;
        let Ok(Ok(answer)) = scanner.try_scan(gate, scan, token).await else {
            return told;
        };
        told.insert(scan, (ticket % tickets.len(), answer.verdict));
        answered.send_modify(|count| *count += 1);
    }
}

struct Scene {
    folder: TempDir,
    venue: Venue,
    tickets: Arc<Vec<Ticket>>,
}

fn scene() -> Scene {
    use_ring();
    let venue = Venue::new();
    let tickets = venue.many_tickets(2_000);
    let folder = tempfile::tempdir().unwrap();
    venue.furnish(folder.path(), &tickets, Clock::of_this_boot().unwrap());
    Scene {
        folder,
        venue,
        tickets: Arc::new(tickets),
    }
}

/// Every decision on disk, and that the chain holds.
fn journalled(path: &Path) -> BTreeMap<ScanId, Verdict> {
    let reader = journal::Reader::open(path).unwrap();
    journal::export(&reader, &mut std::io::sink()).unwrap();
    let mut decisions = BTreeMap::new();
    for chain in reader.chains().unwrap() {
        for row in reader.list_rows_after(&chain, 0).unwrap() {
            match &row.row().entry {
                JournalEntry::Decision(decision) => {
                    decisions.insert(decision.scan, decision.verdict.clone());
                }
                JournalEntry::Voided { scan, .. } => {
                    decisions.remove(scan);
                }
                JournalEntry::Opened { .. } => {}
            }
        }
    }
    decisions
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_every_verdict_told_is_found_again() {
    let Scene {
        folder,
        venue,
        tickets,
    } = scene();
    let next = Arc::new(AtomicUsize::new(0));
    let mut told = Told::new();
    let mut scanner: Option<Scanner> = None;
    for round in 0..KILLS {
        let node = Process::start(folder.path()).await;
        let mut paired = match scanner.take() {
            Some(scanner) => scanner,
            None => Scanner::pair(&pairing_code(folder.path()).await, 1)
                .await
                .unwrap(),
        };
        paired.url.clone_from(&node.url);
        paired.refresh().await.unwrap();
        check_some(&paired, venue.north, &tickets, &told).await;

        let (answered, mut count) = watch::channel(0);
        let scanning: Vec<_> = (0..SCANNING)
            .map(|_| {
                let (tickets, next) = (Arc::clone(&tickets), Arc::clone(&next));
                tokio::spawn(scan_on(
                    paired.clone(),
                    venue.north,
                    tickets,
                    next,
                    answered.clone(),
                ))
            })
            .collect();
        // Each round ends after another number of answers: in the middle of some batch.
        count
            .wait_for(|count| *count >= 20 + 37 * round)
            .await
            .unwrap();
        node.kill().await;
        for scans in scanning {
            told.extend(scans.await.unwrap());
        }
        scanner = Some(paired);
    }

    let on_disk = journalled(&journal::path(folder.path()));
    for (scan, (_, verdict)) in &told {
        assert_eq!(on_disk.get(scan), Some(verdict), "{scan}");
    }
    let admitted: Vec<usize> = told
        .values()
        .filter(|(_, verdict)| *verdict == Verdict::Admit)
        .map(|(ticket, _)| *ticket)
        .collect();
    let mut once = admitted.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), admitted.len(), "a ticket was admitted twice");
    assert!(admitted.len() >= KILLS * 20, "{}", admitted.len());
}

/// The newest things told are told again, and other scans of those tickets are refused.
async fn check_some(scanner: &Scanner, gate: GateId, tickets: &[Ticket], told: &Told) {
    for (scan, (ticket, verdict)) in told.iter().rev().take(10) {
        let token = &tickets[*ticket].token;
        let again = scanner.scan(gate, *scan, token).await.unwrap();
        assert_eq!((&again.verdict, again.repeated), (verdict, true));
        let other = scanner.scan(gate, scan_id(), token).await.unwrap();
        assert!(
            matches!(other.verdict, Verdict::AlreadyUsed { .. }),
            "{other:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_can_not_be_written_ends_the_process() {
    let Scene {
        folder,
        venue,
        tickets,
    } = scene();
    // No file of the process may grow past this: the journal's log hits it while scans are decided.
    let mut child = Command::new("bash")
        .args(["-c", "ulimit -f 2048; trap '' XFSZ; exec \"$0\" run"])
        .arg(PROGRAM)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(settings_for(folder.path(), &[("log.format", "json")]))
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        if line["code"] == "node.started" {
            break;
        }
    }
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let scanner = Scanner::pair(&pairing_code(folder.path()).await, 1)
        .await
        .unwrap();
    let (answered, _count) = watch::channel(0);
    let next = Arc::new(AtomicUsize::new(0));
    let told = scan_on(scanner, venue.north, Arc::clone(&tickets), next, answered).await;
    assert_eq!(child.wait().await.unwrap().code(), Some(74));
    let on_disk = journalled(&journal::path(folder.path()));
    for (scan, (_, verdict)) in &told {
        assert_eq!(on_disk.get(scan), Some(verdict), "{scan}");
    }
    assert!(told.len() > 50, "{}", told.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tools_work_beside_a_running_node_and_without_it() {
    let Scene {
        folder,
        venue,
        tickets,
    } = scene();
    let run = async |arguments: &[&str]| {
        let output = Command::new(PROGRAM)
            .args(arguments)
            .env_clear()
            .envs(settings_for(folder.path(), &[]))
            .output()
            .await
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, text) = run(&["status"]).await;
    assert_eq!(code, 1);
    assert!(
        text.contains("not running") && text.contains("2000 tickets, sound"),
        "{text}"
    );

    let (_, report) = run(&["doctor"]).await;
    let port = "warn  port         127.0.0.1:0 takes another port at each start";
    assert!(report.contains(port), "{report}");

    let node = Process::start(folder.path()).await;
    let scanner = Scanner::pair(run(&["pair"]).await.1.lines().next().unwrap(), 1)
        .await
        .unwrap();
    let token = &tickets[0].token;
    scanner.scan(venue.north, scan_id(), token).await.unwrap();
    let (code, text) = run(&["status", "--json"]).await;
    let status: eventify_protocol::lan::NodeStatus = serde_json::from_str(&text).unwrap();
    assert_eq!((code, status.journal.head.seq), (0, 2));
    let (_, text) = run(&["status"]).await;
    assert!(text.contains("Degraded (core_silent)"), "{text}");

    let (code, rows) = run(&["export-journal"]).await;
    let rows: Vec<serde_json::Value> = rows
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((code, rows.len()), (0, 2));
    assert_eq!(rows[1]["entry"]["verdict"]["verdict"], "Admit", "{rows:#?}");
    assert_eq!(rows[1]["previous"], rows[0]["hash"]);
    let file = folder.path().join("export.jsonl");
    let (_, text) = run(&["export-journal", "--out", file.to_str().unwrap()]).await;
    assert_eq!(text, "2 rows in 1 chain, every hash checked\n");
    std::fs::write(&file, "evidence").unwrap();
    let again = run(&["export-journal", "--out", file.to_str().unwrap()]).await;
    assert_eq!(again.0, 1, "what is there stays");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "evidence");
    let forced = run(&["export-journal", "--force", "--out", file.to_str().unwrap()]).await;
    assert_eq!(forced.0, 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 2);

    let (code, report) = run(&["doctor"]).await;
    assert_eq!(code, 1, "the broker doesn't answer");
    for line in [
        "ok    clock",
        "ok    fsync",
        "ok    journal      2 rows in 1 chain,",
        "ok    replica",
        "fail  broker",
    ] {
        assert!(report.contains(line), "{line} in\n{report}");
    }
    let second = run(&["run"]).await;
    assert_eq!(second.0, 1, "two nodes on one folder");
    node.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_stops_the_start() {
    let output = Command::new(PROGRAM)
        .arg("run")
        .env_clear()
        .env("EVENTIFY_EDGE__ADMISSION__MAX_CACHE_AGE_MS", "900000")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    let text = String::from_utf8(output.stderr).unwrap();
    for part in ["admission.max_cache_age_ms", "900000", "0 to 300000"] {
        assert!(text.contains(part), "{text}");
    }
}
