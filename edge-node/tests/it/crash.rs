//! The real program, killed with SIGKILL again and again while it decides.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use eventify_edge::journal;
use eventify_protocol::{
    ids::{GateId, ScanId},
    sync::JournalEntry,
    verdict::Verdict,
};
use tokio::{process::Command, sync::watch, task::JoinSet};

use crate::world::{PROGRAM, Process, Scanner, Ticket, World, pair, scan_id};

const KILLS: usize = 8;
/// Scans sent at once.
const CONCURRENT_SCANS: usize = 12;

/// Ticket and verdict of each scan that a scanner got an answer to.
type Answers = BTreeMap<ScanId, (usize, Verdict)>;

/// Scans one ticket after the other, each only once in all.
#[derive(Clone)]
struct Guests {
    tickets: Arc<[Ticket]>,
    next: Arc<AtomicUsize>,
    answered: watch::Sender<usize>,
}

impl Guests {
    fn new(tickets: &Arc<[Ticket]>) -> Self {
        Self {
            tickets: Arc::clone(tickets),
            next: Arc::default(),
            answered: watch::Sender::default(),
        }
    }

    /// Until the node is gone.
    async fn scan(self, scanner: Scanner, gate: GateId) -> Answers {
        let mut answers = Answers::new();
        loop {
            let ticket = self.next.fetch_add(1, Ordering::Relaxed) % self.tickets.len();
            let scan = scan_id();
            let token = &self.tickets[ticket].token;
            let Ok(answer) = scanner.scan_as(gate, scan, token).await else {
                return answers;
            };
            answers.insert(scan, (ticket, answer.verdict));
            self.answered.send_modify(|count| *count += 1);
        }
    }
}

/// Every decision on disk. Checks the hash chain.
fn journalled(data_dir: &Path) -> BTreeMap<ScanId, Verdict> {
    let reader = journal::Reader::open(&journal::path(data_dir)).unwrap();
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
                JournalEntry::Opened { .. }
                | JournalEntry::RefusedAgain { .. }
                | JournalEntry::Unreadable { .. }
                | JournalEntry::Searched(_)
                | JournalEntry::Overridden(_)
                | JournalEntry::Undone(_)
                | JournalEntry::Left(_)
                | JournalEntry::GateChanged(_) => {}
            }
        }
    }
    decisions
}

fn assert_journalled(answers: &Answers, data_dir: &Path) {
    let on_disk = journalled(data_dir);
    for (scan, (_, verdict)) in answers {
        assert_eq!(on_disk.get(scan), Some(verdict), "{scan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_every_verdict_sent_is_in_the_journal() {
    let world = World::stopped(2_000);
    let (folder, gate) = (world.folder.path(), world.venue.north);
    let guests = Guests::new(&world.tickets);
    let mut answers = Answers::new();
    let mut paired: Option<Scanner> = None;
    for round in 0..KILLS {
        let node = Process::start(folder).await;
        let mut scanner = match paired.take() {
            Some(scanner) => scanner,
            None => pair(folder).await,
        };
        scanner.reconnect(&node.url).await;
        assert_remembered(&scanner, gate, &world.tickets, &answers).await;

        let mut answered = guests.answered.subscribe();
        guests.answered.send_replace(0);
        let mut scanning = JoinSet::new();
        for _ in 0..CONCURRENT_SCANS {
            scanning.spawn(guests.clone().scan(scanner.clone(), gate));
        }
        // Each round ends after another number of answers: in the middle of some batch.
        let enough = answered.wait_for(|count| *count >= 20 + 37 * round);
        enough.await.unwrap();
        node.kill().await;
        answers.extend(scanning.join_all().await.into_iter().flatten());
        paired = Some(scanner);
    }

    assert_journalled(&answers, folder);
    let admitted: Vec<usize> = answers
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

/// The newest scans are answered as before, and other scans of their tickets are refused.
async fn assert_remembered(scanner: &Scanner, gate: GateId, tickets: &[Ticket], answers: &Answers) {
    for (scan, (ticket, verdict)) in answers.iter().rev().take(10) {
        let token = &tickets[*ticket].token;
        let again = scanner.scan_as(gate, *scan, token).await.unwrap();
        assert_eq!((&again.verdict, again.repeated), (verdict, true));
        let other = scanner.scan(gate, token).await;
        assert!(
            matches!(other.verdict, Verdict::AlreadyUsed { .. }),
            "{other:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_can_not_be_written_ends_the_process() {
    let world = World::stopped(2_000);
    let folder = world.folder.path();
    // No file of the process may grow past this: the journal's log hits it while scans are decided.
    let mut command = Command::new("bash");
    command
        .args(["-c", "ulimit -f 2048; trap '' XFSZ; exec \"$0\" run"])
        .arg(PROGRAM)
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    let mut node = Process::start_by(command, folder).await;
    let guests = Guests::new(&world.tickets);
    let answers = guests.scan(pair(folder).await, world.venue.north).await;
    assert_eq!(node.child.wait().await.unwrap().code(), Some(74));
    assert_journalled(&answers, folder);
    assert!(answers.len() > 50, "{}", answers.len());
}
