//! Guests whom staff look for at a door.

use std::{fs, path::Path};

use eventify_edge::clock::new_id;
use eventify_protocol::{
    ids::{OrderId, PerformanceId, SearchId},
    lan::{Match, MatchState, NodeStatus, SearchAnswer, SearchBy, SearchRequest},
    sync::{
        FeedEntry, Holder, HolderEntry, HolderKey, JournalEntry, PerformanceKey, PolicyEntry,
        Searched, Subject, TicketState, Value,
    },
    verdict::{Mode, Verdict},
};
use uuid::Uuid;

use crate::{
    staff::{KIM, PIN, SAM, employed, proof, sign_in, until},
    world::{Core, Scanner, Ticket, World, clock, refusal},
};

const NAMES: [&str; 4] = [
    "Zoé Lefèvre",
    "Zoltán Łukasz",
    "Sinéad O’Connor",
    "Anna Straße",
];

fn key(performance: PerformanceId, seconds_left: i64) -> PerformanceKey {
    PerformanceKey {
        performance,
        key: HolderKey::from_bytes([9; 32]),
        wipe_at: clock().wall().0 / 1_000_000 + seconds_left,
    }
}

fn order(number: usize) -> OrderId {
    OrderId(Uuid::from_u128(
        0x0192_f7a0_0000_7000_8000_0000_0000_a000 + number as u128,
    ))
}

fn policy(search: bool) -> PolicyEntry {
    PolicyEntry {
        max_cache_age_ms: 300_000,
        search: search.then_some(true),
        ..PolicyEntry::default()
    }
}

/// The first tickets are of guests with names, each of an order of its own; the next one is of nobody.
fn holders(world: &World, version: u64) -> Vec<FeedEntry> {
    let key = key(world.venue.performance, 0);
    let names = NAMES.into_iter().map(Some).chain([None]);
    let entries = names.zip(&*world.tickets).enumerate();
    let entries = entries.map(|(number, (name, ticket))| {
        let holder = Holder {
            order: order(number),
            name: name.map(str::to_owned),
        };
        let nonce = [u8::try_from(number).unwrap(); 12];
        FeedEntry {
            subject: Subject::Holder(ticket.id),
            version,
            value: Some(Value::Holder(HolderEntry {
                performance: world.venue.performance,
                sealed: key.key.seal((ticket.id, version), &holder, nonce),
            })),
        }
    });
    entries.collect()
}

fn revoked(ticket: &Ticket) -> FeedEntry {
    let mut entry = ticket.feed_entry();
    entry.version = 2;
    if let Some(Value::Ticket(ticket)) = &mut entry.value {
        ticket.state = TicketState::Revoked;
    }
    entry
}

/// The venue has switched it on, and Kim, a supervisor, is on shift.
async fn evening(settings: &[(&str, &str)]) -> (World, Core, Scanner) {
    let (world, core, scanner) = employed(settings).await;
    core.set_policy(2, policy(true)).await;
    core.give_keys(vec![key(world.venue.performance, 3_600)])
        .await;
    core.publish(holders(&world, 1)).await;
    // The keys came before the last entry.
    until_applied(&world, &core).await;
    sign_in(&core, &scanner, SAM, PIN).await;
    sign_in(&core, &scanner, KIM, PIN).await;
    let north = world.venue.north;
    scanner
        .lan
        .begin_shift(north, proof(KIM, PIN))
        .await
        .unwrap();
    (world, core, scanner)
}

/// Waits until the node has all of the feed. No search waits for anything: each one counts.
async fn until_applied(world: &World, core: &Core) {
    // The feed goes on by itself, with who was let in.
    world
        .until(|status| status.replica.digest == Some(core.digest()))
        .await;
}

fn request(world: &World, by: SearchBy, text: &str) -> SearchRequest {
    SearchRequest {
        search_id: new_id(),
        gate_id: world.venue.north,
        by,
        text: text.to_owned(),
        performance_id: None,
        authorisation: None,
    }
}

async fn find(world: &World, scanner: &Scanner, by: SearchBy, text: &str) -> SearchAnswer {
    scanner.lan.search(&request(world, by, text)).await.unwrap()
}

fn names(answer: &SearchAnswer) -> Vec<&str> {
    let names = answer.matches.iter().map(|it| it.name.as_deref());
    names.map(|name| name.unwrap_or("-")).collect()
}

fn only(answer: SearchAnswer) -> Match {
    let [found] = <[Match; 1]>::try_from(answer.matches).unwrap();
    found
}

/// The searches that the core has rows of, in order, and whether the bytes of any row have a text.
fn rows(core: &Core, text: &str) -> (Vec<Searched>, bool) {
    let rows = core.journal();
    let has = |bytes: &[u8]| bytes.windows(text.len()).any(|it| it == text.as_bytes());
    let any = rows.iter().any(|row| has(row.bytes()));
    let searched = rows.iter().filter_map(|row| {
        let JournalEntry::Searched(searched) = &row.row().entry else {
            return None;
        };
        Some(searched.clone())
    });
    (searched.collect(), any)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_without_a_code_is_found_by_name_order_or_seat() {
    let (mut world, core, scanner) = evening(&[]).await;
    let zo = find(&world, &scanner, SearchBy::Name, "ZO").await;
    assert_eq!(names(&zo), ["Zoé Lefèvre", "Zoltán Łukasz"]);
    assert_eq!((zo.person_id, zo.more, zo.cache_age_ms), (KIM, false, None));
    for text in ["lukasz", "łuk zol"] {
        let found = find(&world, &scanner, SearchBy::Name, text).await;
        assert_eq!(names(&found), ["Zoltán Łukasz"], "{text}");
    }
    let nobody = find(&world, &scanner, SearchBy::Name, "fevre").await;
    assert!(nobody.matches.is_empty());

    let north = world.venue.north;
    let verdict = scanner.scan(north, &world.tickets[2].token).await.verdict;
    assert_eq!(verdict, Verdict::Admit);
    core.publish(vec![revoked(&world.tickets[3])]).await;
    until_applied(&world, &core).await;
    let inside = only(find(&world, &scanner, SearchBy::Order, "…A002").await);
    assert_eq!(inside.name.as_deref(), Some("Sinéad O’Connor"));
    assert_eq!(inside.order, Some(order(2).to_string()));
    assert_eq!(inside.state, MatchState::Used);
    assert_eq!(inside.first_gate_name.as_deref(), Some("North"));
    let refunded = only(find(&world, &scanner, SearchBy::Name, "strasse").await);
    assert_eq!(
        (refunded.state, refunded.first),
        (MatchState::Revoked, None)
    );

    let seat = only(find(&world, &scanner, SearchBy::Seat, "a 4").await);
    assert_eq!(
        (seat.name.as_deref(), seat.state),
        (None, MatchState::Valid)
    );
    assert_eq!(seat.ticket.place.as_deref(), Some("A-4"));
    assert_eq!(seat.ticket.title.as_deref(), Some("Opening night"));
    let nameless = only(find(&world, &scanner, SearchBy::Seat, "A-7").await);
    assert_eq!(
        (nameless.name, nameless.order),
        (None, None),
        "nothing is known of it"
    );
    let many = find(&world, &scanner, SearchBy::Seat, "a1").await;
    assert_eq!(
        (many.matches.len(), many.more),
        (1, false),
        "the seat itself"
    );
    let many = find(&world, &scanner, SearchBy::Seat, "A-").await;
    assert_eq!((many.matches.len(), many.more), (20, true));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_search_is_a_row_before_anybody_is_shown_and_the_row_has_no_name() {
    let (mut world, core, scanner) = evening(&[]).await;
    let asked = request(&world, SearchBy::Name, "Lefevre");
    let answer = scanner.lan.search(&asked).await.unwrap();
    // A lost answer is given again, and is no second row; the id is not good for another search.
    assert_eq!(scanner.lan.search(&asked).await.unwrap(), answer);
    let other = SearchRequest {
        text: "Lukasz".to_owned(),
        ..asked.clone()
    };
    assert_eq!(
        refusal(scanner.lan.search(&other).await),
        "409 search_id_conflict"
    );
    let is_it = |searched: &&Searched| searched.search == asked.search_id;
    until("the row is up", async || {
        rows(&core, "Lefevre").0.iter().any(|it| is_it(&it))
    })
    .await;
    let (rows, has_text) = rows(&core, "Lefevre");
    let of_it: Vec<_> = rows.iter().filter(is_it).collect();
    let [row] = of_it[..] else {
        panic!("{of_it:?}")
    };
    assert_eq!((row.person, row.gate), (KIM, world.venue.north));
    assert_eq!(row.tickets, [world.tickets[0].id], "who was shown");
    assert_eq!((row.by, row.mode), (SearchBy::Name, Mode::Online));
    assert!(!has_text, "what was looked for is a name");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_looks_for_guests_and_only_where_the_venue_wants_it() {
    let (mut world, core, scanner) = evening(&[]).await;
    let asked = request(&world, SearchBy::Name, "zoe");
    for text in ["z", " z ", &*"z".repeat(61)] {
        let bad = request(&world, SearchBy::Name, text);
        assert_eq!(
            refusal(scanner.lan.search(&bad).await),
            "422 validation_error"
        );
    }
    scanner.lan.end_shift().await.unwrap();
    assert_eq!(refusal(scanner.lan.search(&asked).await), "409 no_shift");
    let north = world.venue.north;
    scanner
        .lan
        .begin_shift(north, proof(SAM, PIN))
        .await
        .unwrap();
    assert_eq!(refusal(scanner.lan.search(&asked).await), "403 not_allowed");
    let word = scanner.lan.authorise(proof(KIM, PIN)).await.unwrap();
    let with_word = SearchRequest {
        authorisation: Some(word.authorisation),
        ..request(&world, SearchBy::Name, "zoe")
    };
    let answer = scanner.lan.search(&with_word).await.unwrap();
    assert_eq!((answer.person_id, answer.matches.len()), (KIM, 1));

    let again = || SearchRequest {
        search_id: new_id::<SearchId>(),
        ..with_word.clone()
    };
    core.set_policy(3, policy(false)).await;
    until_applied(&world, &core).await;
    assert_eq!(
        refusal(scanner.lan.search(&again()).await),
        "403 search_off"
    );
    // Switched on again, the node has no key: the core has to send another one.
    core.set_policy(4, policy(true)).await;
    until_applied(&world, &core).await;
    let answer = scanner.lan.search(&again()).await.unwrap();
    assert!(answer.matches.is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_the_whole_list() {
    let (mut world, _core, scanner) = evening(&[]).await;
    let mut last = Ok(());
    for _ in 0..=120 {
        let request = request(&world, SearchBy::Name, "zoe");
        last = scanner.lan.search(&request).await.map(drop);
        if last.is_err() {
            break;
        }
    }
    assert_eq!(refusal(last), "429 too_many_searches");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_alone_finds_guests_and_a_locked_one_shows_nobody() {
    let limit = [("admission.max_cache_age_ms", "5000")];
    let (mut world, core, scanner) = evening(&limit).await;
    core.line.cut();
    world.until_mode(Mode::Degraded).await;
    let alone = find(&world, &scanner, SearchBy::Name, "zoe").await;
    assert_eq!(names(&alone), ["Zoé Lefèvre"]);
    assert!(alone.cache_age_ms.is_some());
    world.until_mode(Mode::Locked).await;
    let locked = scanner
        .lan
        .search(&request(&world, SearchBy::Name, "zoe"))
        .await;
    assert_eq!(refusal(locked), "409 node_locked");
    world.stop().await;
}

/// Whether any file of the node has these bytes.
fn on_disk(folder: &Path, wanted: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return on_disk(&path, wanted);
        }
        let bytes = fs::read(&path).unwrap_or_default();
        bytes.windows(wanted.len()).any(|it| it == wanted)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_the_node_has_a_name_and_the_key_ends_without_the_core() {
    let (mut world, core, scanner) = evening(&[]).await;
    let folder = world.folder.path().to_owned();
    let seat = world.tickets[0].entry.place.clone().unwrap();
    assert!(on_disk(&folder, seat.as_bytes()), "the copy is on the disk");
    for name in NAMES {
        assert!(!on_disk(&folder, name.as_bytes()));
        assert!(!on_disk(
            &folder,
            name.split(' ').next_back().unwrap().as_bytes()
        ));
    }
    assert!(!on_disk(&folder, &[9; 32]), "nor has any the key");
    let short = key(world.venue.performance, 4);
    let wiped_at = (short.wipe_at + 2) * 1_000_000;
    core.give_keys(vec![short]).await;
    core.publish(vec![revoked(&world.tickets[9])]).await;
    until_applied(&world, &core).await;
    core.line.cut();
    world.until_mode(Mode::Degraded).await;
    let is_over = |status: &NodeStatus| status.core_time.is_some_and(|at| at.0 > wiped_at);
    world.until(is_over).await;
    let nobody = find(&world, &scanner, SearchBy::Name, "zoe").await;
    assert!(nobody.matches.is_empty());
    // The seat is found: the node is there, and knows whose it is no more.
    let seat = only(find(&world, &scanner, SearchBy::Seat, "a0").await);
    assert_eq!((seat.name, seat.order), (None, None));
    world.stop().await;
    for name in NAMES {
        assert!(!on_disk(&folder, name.as_bytes()));
    }
}
