//! How many scans a node decides alone, durably, and how fast, measured against what the signature
//! costs on one core in the same run (`DESIGN` section 8).
//!
//! `cargo bench -p eventify-edge`; the journal lies in the system's folder for temporary files.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, or fails by panicking"
)]

#[path = "../tests/edge/support/venue.rs"]
#[expect(dead_code, reason = "shared with the tests, which use the rest")]
mod venue;

use std::{process::Stdio, time::Duration};

use ed25519_dalek::{Signer as _, SigningKey};
use eventify_edge::{
    Node,
    clock::{Clock, new_id},
    config::Config,
    control,
    owner::{Handle, Scan},
};
use eventify_protocol::{ids::ScannerId, verdict::Verdict};
use futures_util::{StreamExt as _, stream};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time::{MissedTickBehavior, interval},
};
use venue::{Ticket, Venue};

const TICKETS: u64 = 100_000;
const THROUGHPUT_SCANS: usize = 40_000;
const CONCURRENT: usize = 512;
const PACED_SCANS: usize = 5_000;
const PACE: Duration = Duration::from_millis(1);
const VERIFICATIONS: u32 = 5_000;
/// As long as a ticket's signed bytes.
const MESSAGE: [u8; 150] = [7; 150];

#[tokio::main]
async fn main() {
    let clock = Clock::of_this_boot().unwrap();
    let verify = verify_strict_rate(clock);
    println!("verify_strict on one core        {verify:>10.0} /s");
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::new();
    let tickets = venue.many_tickets(TICKETS);
    venue.furnish(folder.path(), &tickets, clock);

    println!(
        "resident with {TICKETS} tickets   {:>10} KiB",
        resident_kib(&folder).await
    );
    let begun = clock.boottime();
    let node = Node::start(&config(&folder), clock).await.unwrap();
    let scanner: ScannerId = new_id();
    admit(node.handle(), &venue, scanner, &tickets[0]).await;
    println!(
        "first verdict after the start    {:>10.1?}",
        clock.boottime().since(begun)
    );

    let (paced, unpaced) = tickets[1..].split_at(PACED_SCANS);
    let begun = clock.boottime();
    stream::iter(&unpaced[..THROUGHPUT_SCANS])
        .map(|ticket| {
            let (handle, ticket) = (node.handle().clone(), ticket.clone());
            let asked = scan(&venue, scanner, &ticket);
            tokio::spawn(async move { handle.scan(asked).await.unwrap().verdict })
        })
        .buffer_unordered(CONCURRENT)
        .for_each(|verdict| async { assert_eq!(verdict.unwrap(), Verdict::Admit) })
        .await;
    let rate = rate(THROUGHPUT_SCANS, clock.boottime().since(begun));
    println!(
        "degraded scans, durable          {rate:>10.0} /s = {:.2} of verify_strict",
        rate / verify
    );

    let mut latencies = at_a_pace(&node, &venue, scanner, paced, clock).await;
    latencies.sort_unstable();
    let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize];
    println!(
        "at 1,000/s: p50 {:.1?}, p99 {:.1?}, p99.9 {:.1?}",
        at(0.5),
        at(0.99),
        at(0.999)
    );
    node.stop().await.unwrap();
}

fn config(folder: &tempfile::TempDir) -> Config {
    Config::load(None, settings(folder).into_iter()).unwrap()
}

fn settings(folder: &tempfile::TempDir) -> [(String, String); 2] {
    [
        (
            "EVENTIFY_EDGE__NODE__DATA_DIR",
            folder.path().display().to_string(),
        ),
        ("EVENTIFY_EDGE__LAN__LISTEN", "127.0.0.1:0".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

fn scan(venue: &Venue, scanner: ScannerId, ticket: &Ticket) -> Scan {
    Scan {
        scan: venue::scan_id(),
        scanner,
        gate: venue.north,
        token: ticket.token.clone(),
    }
}

async fn admit(handle: &Handle, venue: &Venue, scanner: ScannerId, ticket: &Ticket) {
    let answer = handle.scan(scan(venue, scanner, ticket)).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Admit);
}

/// One scan each millisecond, whether the one before is done or not.
async fn at_a_pace(
    node: &Node,
    venue: &Venue,
    scanner: ScannerId,
    tickets: &[Ticket],
    clock: Clock,
) -> Vec<Duration> {
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asked = Vec::with_capacity(tickets.len());
    for ticket in tickets {
        ticks.tick().await;
        let handle = node.handle().clone();
        let scan = scan(venue, scanner, ticket);
        asked.push(tokio::spawn(async move {
            let begun = clock.boottime();
            handle.scan(scan).await.unwrap();
            clock.boottime().since(begun)
        }));
    }
    let mut latencies = Vec::with_capacity(asked.len());
    for asked in asked {
        latencies.push(asked.await.unwrap());
    }
    latencies
}

fn verify_strict_rate(clock: Clock) -> f64 {
    let key = SigningKey::from_bytes(&[1; 32]);
    let (signature, public) = (key.sign(&MESSAGE), key.verifying_key());
    let begun = clock.boottime();
    for _ in 0..VERIFICATIONS {
        public.verify_strict(&MESSAGE, &signature).unwrap();
    }
    rate(VERIFICATIONS as usize, clock.boottime().since(begun))
}

fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Of the program itself, started on a folder, when it has answered.
async fn resident_kib(folder: &tempfile::TempDir) -> u64 {
    let mut program = Command::new(env!("CARGO_BIN_EXE_eventify-edge"))
        .arg("run")
        .env_clear()
        .envs(settings(folder))
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stderr.take().unwrap()).lines();
    while !lines
        .next_line()
        .await
        .unwrap()
        .unwrap()
        .contains("started")
    {}
    control::ask(folder.path(), &control::Question::Status)
        .await
        .unwrap();
    let status = format!("/proc/{}/status", program.id().unwrap());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let resident = line.trim().trim_end_matches(" kB").parse().unwrap();
    program.kill().await.unwrap();
    resident
}
