//! The life of a paired scanner: listed, renamed, narrowed, unpaired, forgotten.

use std::fs;

use eventify_lan_client::Events;
use eventify_protocol::{
    ids::ScannerId,
    lan::PairingCode,
    sync::{ScannerChange, ScannerGates},
    verdict::Verdict,
};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    tools::{complaint, run},
    world::{SOON, Scanner, World, refusal, scan_id},
};

fn id(scanner: &Scanner) -> String {
    scanner.lan.pairing().scanner_id.to_string()
}

/// A command about scanners, and the list that it prints.
async fn act(world: &World, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["scanners", "--json"], arguments].concat();
    let (code, text) = run(world, &arguments).await;
    assert_eq!(code, 0, "{arguments:?}: {text}");
    let mut list: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(list["scanners"].take()).unwrap()
}

/// By whichever end: the stream's own, or its connection's.
async fn until_over(mut stream: Events) {
    let over = async { while let Ok(Some(_)) = stream.next().await {} };
    timeout(SOON, over).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaired_scanner_is_out_at_once_and_nobody_else() {
    let world = World::alone(&[]).await;
    let (lost, other) = (world.scanner(1).await, world.scanner(2).await);
    let (stream, mut others) = (lost.events().await, other.events().await);
    let left = act(&world, &["unpair", &id(&lost)]).await;
    assert_eq!(left.len(), 1, "{left:?}");
    until_over(stream).await;
    let token = &world.tickets[0].token;
    let scan = lost.scan_as(world.venue.north, scan_id(), token).await;
    assert_eq!(refusal(scan), "401 scanner_unknown");
    let mut renewing = lost.clone();
    assert_eq!(
        refusal(renewing.lan.renew_access().await),
        "401 scanner_unknown"
    );
    assert!(others.next().await.unwrap().is_some());
    assert_eq!(
        other.scan(world.venue.north, token).await.verdict,
        Verdict::Admit
    );
    let error = complaint(&world, &["scanners", "unpair", &id(&lost)]).await;
    assert!(error.contains("no scanner with the id"), "{error}");
    // Its key may come back, by a code, as another scanner.
    let again = world.scanner(1).await;
    assert_ne!(id(&again), id(&lost));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_is_renamed_and_narrowed_from_its_next_scan_on() {
    let world = World::alone(&[]).await;
    let scanner = world.scanner(1).await;
    let (id, north) = (id(&scanner), world.venue.north);
    let [first, second, third] = [0, 1, 2].map(|ticket| &world.tickets[ticket].token);
    assert_eq!(scanner.scan(north, first).await.verdict, Verdict::Admit);
    let list = act(&world, &["gates", &id, "SOUTH"]).await;
    assert_eq!(list[0]["gates"][0]["name"], "South", "{list:?}");
    let refused = scanner.scan_as(north, scan_id(), second).await;
    assert_eq!(refusal(refused), "403 gate_not_allowed");
    let south = scanner.scan(world.venue.south, second).await;
    assert_eq!(south.verdict, Verdict::Admit);

    let error = complaint(&world, &["scanners", "gates", &id, "West"]).await;
    for part in ["\"West\"", "North", "South"] {
        assert!(error.contains(part), "{error}");
    }
    act(&world, &["gates", &id, "--all"]).await;
    assert_eq!(scanner.scan(north, third).await.verdict, Verdict::Admit);
    let list = act(&world, &["rename", &id, "Turnstile 3"]).await;
    assert_eq!(list[0]["label"], "Turnstile 3");
    for part in ["pairedAt", "lastSeen"] {
        assert!(list[0][part].is_string(), "{list:?}");
    }
    let (_, text) = run(&world, &["scanners"]).await;
    assert!(
        text.contains("Turnstile 3") && text.contains("all gates"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_to_scanners_while_the_node_is_stopped_holds_when_it_runs() {
    let mut world = World::alone(&[]).await;
    let mut narrowed = world.scanner(1).await;
    let mut unpaired = world.scanner(2).await;
    world.stop().await;
    act(&world, &["gates", &id(&narrowed), "South"]).await;
    let error = complaint(&world, &["scanners", "gates", &id(&narrowed), "West"]).await;
    assert!(
        error.contains("North") && error.contains("South"),
        "{error}"
    );
    let left = act(&world, &["unpair", &id(&unpaired)]).await;
    assert_eq!(left.len(), 1, "{left:?}");
    world.start(&[]).await;
    world.reconnect(&mut narrowed).await;
    let token = &world.tickets[0].token;
    let refused = narrowed.scan_as(world.venue.north, scan_id(), token);
    assert_eq!(refusal(refused.await), "403 gate_not_allowed");
    let url = format!("https://{}", world.node().address());
    unpaired.lan = unpaired.lan.at(&url).unwrap();
    assert_eq!(
        refusal(unpaired.lan.renew_access().await),
        "401 scanner_unknown"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_was_away_for_thirty_days_pairs_again() {
    let mut world = World::alone(&[]).await;
    let mut scanner = world.scanner(1).await;
    world.stop().await;
    let path = world.folder.path().join("scanners-life.json");
    let mut life: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let days = |days: i64| days * 24 * 3_600 * 1_000_000;
    let seen = &mut life["scanners"][&id(&scanner)]["seen"]["at"];
    *seen = (seen.as_i64().unwrap() - days(31)).into();
    fs::write(&path, life.to_string()).unwrap();
    world.start(&[]).await;
    let url = format!("https://{}", world.node().address());
    scanner.lan = scanner.lan.at(&url).unwrap();
    assert_eq!(
        refusal(scanner.lan.renew_access().await),
        "401 scanner_expired"
    );
    let (_, text) = run(&world, &["scanners"]).await;
    assert!(text.contains("it has to pair again"), "{text}");
    let again = world.scanner(1).await;
    assert_eq!(id(&again), id(&scanner), "the key keeps its id");
    again.lan.status().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_no_tickets_are_counted_and_not_kept() {
    let world = World::alone(&[]).await;
    let (scanner, other) = (world.scanner(1).await, world.scanner(2).await);
    let before = scanner.lan.status().await.unwrap().journal.head;
    for number in 0..40 {
        let text = format!("a bottle of water, {number}");
        let answer = scanner.scan(world.venue.north, &text).await;
        assert_eq!(answer.verdict, Verdict::Unreadable);
    }
    other.scan(world.venue.south, "a bottle of water").await;
    let status = scanner.lan.status().await.unwrap();
    assert_eq!(status.journal.head, before, "none has a row");
    let counted: Vec<_> = status.gates.iter().map(|gate| gate.unreadable).collect();
    assert_eq!(counted, [40, 1]);
    let list = act(&world, &[]).await;
    let counted: Vec<_> = list.iter().map(|it| it["unreadable"].as_u64()).collect();
    assert_eq!(counted, [Some(40), Some(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_for_gates_by_their_names_and_for_none_that_are_not_there() {
    let world = World::alone(&[]).await;
    let (code, text) = run(&world, &["pair", "--gate", "south"]).await;
    assert_eq!(code, 0);
    let code: PairingCode = text.lines().next().unwrap().parse().unwrap();
    let scanner = Scanner::pair(&code, 1).await.unwrap();
    assert_eq!(scanner.lan.pairing().gates, [world.venue.south]);
    let unknown = eventify_edge::clock::new_id::<ScannerId>().to_string();
    for gate in ["West", &unknown] {
        let error = complaint(&world, &["pair", "--gate", gate]).await;
        assert!(
            error.contains("North") && error.contains("South"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_core_has_the_list_and_its_orders_are_carried_out_once() {
    let (mut world, core, scanner) = World::connected(&[]).await;
    let (id, north) = (scanner.lan.pairing().scanner_id, world.venue.north);
    core.until_scanners(|report| report.scanners.iter().any(|it| it.scanner == id))
        .await;
    let rename = ScannerChange::Edit {
        label: Some("By the core".to_owned()),
        gates: Some(ScannerGates::Only(vec![world.venue.south])),
    };
    core.order(id, rename).await;
    core.until_scanners(|report| {
        let renamed = report.scanners.iter().find(|it| it.scanner == id);
        report.last_order == 1 && renamed.is_some_and(|it| it.label == "By the core")
    })
    .await;
    let token = &world.tickets[0].token;
    let refused = scanner.scan_as(north, scan_id(), token).await;
    assert_eq!(refusal(refused), "403 gate_not_allowed");
    let id_text = id.to_string();
    act(&world, &["rename", &id_text, "By hand"]).await;
    core.until_scanners(|report| report.scanners.iter().any(|it| it.label == "By hand"))
        .await;

    // While it is away an order waits for it.
    world.stop().await;
    core.order(id, ScannerChange::Unpair).await;
    world.start(&[]).await;
    core.until_scanners(|report| report.last_order == 2 && report.scanners.is_empty())
        .await;
    let url = format!("https://{}", world.node().address());
    let mut scanner = scanner;
    scanner.lan = scanner.lan.at(&url).unwrap();
    assert_eq!(
        refusal(scanner.lan.renew_access().await),
        "401 scanner_unknown"
    );
}
