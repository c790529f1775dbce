//! Who works here, at a node: first sign-in, PIN, shift, a colleague's word.

use eventify_lan_client::ClientError;
use eventify_protocol::{
    ids::{GateId, PersonId},
    lan::{PinProof, PinRequest, SignInRefusal, SignInState},
    staff::StaffRole,
    sync::{JournalEntry, PersonEntry, PolicyEntry, SignInProgress},
    verdict::{Mode, Verdict},
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::world::{Core, PROGRAM, Process, SOON, Scanner, World, granted, pair, refusal, scan_id};

pub(crate) const SAM: PersonId = PersonId(Uuid::from_u128(0x51));
pub(crate) const KIM: PersonId = PersonId(Uuid::from_u128(0x52));
pub(crate) const PIN: &str = "271828";

fn entry(name: &str, roles: &[StaffRole]) -> Option<PersonEntry> {
    Some(PersonEntry {
        name: name.to_owned(),
        roles: roles.to_vec(),
    })
}

pub(crate) fn proof(person_id: PersonId, pin: &str) -> PinProof {
    PinProof {
        person_id,
        pin: pin.to_owned(),
    }
}

/// Waits for a fact that the node is about to know.
pub(crate) async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, wait)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

async fn until_listed(scanner: &Scanner, count: usize) {
    until("the list", async || {
        scanner.lan.people().await.unwrap().people.len() == count
    })
    .await;
}

/// Sam, a steward, and Kim, a supervisor, work here.
pub(crate) async fn employed(settings: &[(&str, &str)]) -> (World, Core, Scanner) {
    let (world, core, scanner) = World::connected(settings).await;
    world.until_ready().await;
    core.employ(SAM, 1, entry("Sam", &[StaffRole::Steward]))
        .await;
    core.employ(KIM, 1, entry("Kim", &[StaffRole::Supervisor]))
        .await;
    until_listed(&scanner, 2).await;
    (world, core, scanner)
}

async fn state(scanner: &Scanner, begun: &eventify_protocol::lan::SignIn) -> SignInState {
    let last = std::cell::RefCell::new(SignInState::Pending);
    until("the sign-in ends", async || {
        let state = scanner.lan.sign_in(begun.sign_in_id).await.unwrap();
        let is_over = state != SignInState::Pending;
        *last.borrow_mut() = state;
        is_over
    })
    .await;
    last.into_inner()
}

/// Signs in with the provider and chooses a PIN.
pub(crate) async fn sign_in(core: &Core, scanner: &Scanner, person: PersonId, pin: &str) {
    let begun = scanner.lan.begin_sign_in().await.unwrap();
    core.end_sign_ins(&granted(person)).await;
    let SignInState::Granted { person: who } = state(scanner, &begun).await else {
        panic!("not granted")
    };
    assert_eq!(who.person_id, person);
    let request = PinRequest {
        sign_in_id: begun.sign_in_id,
        pin: pin.to_owned(),
    };
    scanner.lan.set_pin(&request).await.unwrap();
}

fn detail<T: std::fmt::Debug>(result: Result<T, ClientError>) -> (String, String) {
    let error = result.unwrap_err();
    let refusal = error.refusal().expect("a refusal").clone();
    let detail = refusal.error.details.first();
    let detail = detail.map_or_else(String::new, |it| format!("{}={}", it.field, it.issue));
    (format!("{} {}", refusal.status, refusal.error.code), detail)
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_once_and_their_pin_is_enough_while_the_line_is_cut() {
    let (mut world, core, mut scanner) = employed(&[]).await;
    let north = world.venue.north;
    let never_here = scanner.lan.begin_shift(north, proof(SAM, PIN)).await;
    assert_eq!(refusal(never_here), "409 no_pin");
    sign_in(&core, &scanner, SAM, PIN).await;
    core.line.cut();
    world.until_mode(Mode::Degraded).await;
    assert_eq!(
        refusal(scanner.lan.begin_sign_in().await),
        "503 core_unreachable"
    );
    let listed = scanner.lan.people().await.unwrap();
    assert!(!listed.online && !listed.shift_needed);
    let names: Vec<_> = listed
        .people
        .iter()
        .map(|it| (it.person.name.as_str(), it.has_pin))
        .collect();
    assert_eq!(names, [("Kim", false), ("Sam", true)]);
    let shift = scanner.lan.begin_shift(north, proof(SAM, PIN)).await;
    let shift = shift.unwrap();
    assert_eq!((shift.person.person_id, shift.gate_id), (SAM, north));
    let token = &world.tickets[0].token;
    let verdict = scanner.scan(north, token).await.verdict;
    assert_eq!(verdict, Verdict::Admit);

    // A restart sends nobody back to the start, and the journal knows who scanned.
    world.stop().await;
    world.start(&[]).await;
    world.reconnect(&mut scanner).await;
    let kept = scanner.lan.shift().await.unwrap().expect("a shift");
    assert_eq!(kept.shift_id, shift.shift_id);
    let token = &world.tickets[1].token;
    scanner.scan(north, token).await;
    scanner.lan.end_shift().await.unwrap();
    assert_eq!(scanner.lan.shift().await.unwrap(), None);
    scanner.scan(north, &world.tickets[2].token).await;
    core.line.heal();
    until("the journal is up", async || persons(&core).len() == 3).await;
    assert_eq!(persons(&core), [Some(SAM), Some(SAM), None]);
}

/// Who was on shift at each decision.
fn persons(core: &Core) -> Vec<Option<PersonId>> {
    let rows = core.journal();
    rows.iter()
        .filter_map(|row| match &row.row().entry {
            JournalEntry::Decision(decision) => Some(decision.person),
            JournalEntry::Opened { .. }
            | JournalEntry::Voided { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Overridden(_)
            | JournalEntry::Undone(_)
            | JournalEntry::Left(_)
            | JournalEntry::GateChanged(_)
            | JournalEntry::Searched(_) => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_pins_lock_the_person_also_after_a_restart() {
    let (mut world, core, mut scanner) = employed(&[]).await;
    let north = world.venue.north;
    sign_in(&core, &scanner, SAM, PIN).await;
    for left in ["4", "3", "2", "1"] {
        let wrong = scanner.lan.begin_shift(north, proof(SAM, "271829")).await;
        let expected = ("401 wrong_pin".to_owned(), format!("triesLeft={left}"));
        assert_eq!(detail(wrong), expected);
    }
    let wrong = scanner.lan.authorise(proof(SAM, "271829")).await;
    assert_eq!(refusal(wrong), "429 pin_locked");
    world.stop().await;
    world.start(&[]).await;
    world.reconnect(&mut scanner).await;
    world.until_ready().await;
    let right = scanner.lan.begin_shift(north, proof(SAM, PIN)).await;
    let error = right.unwrap_err();
    let refused = error.refusal().unwrap();
    assert_eq!(refused.error.code, "pin_locked");
    let wait = refused.retry_after.expect("Retry-After").as_secs();
    assert!((1..=300).contains(&wait), "{wait}");
    let listed = scanner.lan.people().await.unwrap();
    assert!(listed.people[1].locked_ms.is_some(), "{listed:?}");
    // Whoever can sign in with the provider needs not wait.
    sign_in(&core, &scanner, SAM, PIN).await;
    let begun = scanner.lan.begin_shift(north, proof(SAM, PIN)).await;
    assert_eq!(begun.unwrap().person.person_id, SAM);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_scanner_does_not_try_everybodys_pin() {
    let (world, core, scanner) = employed(&[]).await;
    let other = world.scanner(2).await;
    sign_in(&core, &scanner, SAM, PIN).await;
    sign_in(&core, &scanner, KIM, PIN).await;
    let mut wrong = Vec::new();
    for person in [SAM, KIM].into_iter().cycle().take(8) {
        wrong.push(refusal(
            scanner.lan.authorise(proof(person, "314159")).await,
        ));
    }
    // Two more right ones forgive the people, and not the scanner.
    for person in [SAM, KIM] {
        scanner.lan.authorise(proof(person, PIN)).await.unwrap();
        wrong.push(refusal(
            scanner.lan.authorise(proof(person, "314159")).await,
        ));
    }
    assert!(wrong.iter().all(|it| it == "401 wrong_pin"), "{wrong:?}");
    let right = scanner.lan.authorise(proof(SAM, PIN)).await;
    assert_eq!(refusal(right), "429 pin_locked");
    other.lan.authorise(proof(SAM, PIN)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_dismissed_keeps_the_pin_until_the_node_hears_of_it_and_not_a_moment_longer() {
    let (world, core, scanner) = employed(&[]).await;
    let north = world.venue.north;
    sign_in(&core, &scanner, SAM, PIN).await;
    core.line.cut();
    world.until_mode(Mode::Degraded).await;
    core.employ(SAM, 2, None).await;
    let begun = scanner.lan.begin_shift(north, proof(SAM, PIN)).await;
    begun.expect("the node can't know");
    let word = scanner.lan.authorise(proof(SAM, PIN)).await;
    word.expect("the node can't know");
    core.line.heal();
    until_listed(&scanner, 1).await;
    until("the shift ends", async || {
        scanner.lan.shift().await.unwrap().is_none()
    })
    .await;
    let gone = scanner.lan.begin_shift(north, proof(SAM, PIN)).await;
    assert_eq!(refusal(gone), "404 person_unknown");
    // Who comes back is the same person to the node, and has no PIN.
    core.employ(SAM, 3, entry("Sam", &[StaffRole::Steward]))
        .await;
    until_listed(&scanner, 2).await;
    let back = scanner.lan.begin_shift(north, proof(SAM, PIN)).await;
    assert_eq!(refusal(back), "409 no_pin");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_venue_wants_it_nobody_scans_without_a_shift() {
    let (world, core, scanner) = employed(&[]).await;
    let (north, token) = (world.venue.north, &world.tickets[0].token);
    sign_in(&core, &scanner, SAM, PIN).await;
    let policy = PolicyEntry {
        max_cache_age_ms: 300_000,
        shift_needed: Some(true),
        ..PolicyEntry::default()
    };
    core.set_policy(1_000, policy).await;
    until("the policy is known", async || {
        scanner.lan.people().await.unwrap().shift_needed
    })
    .await;
    let scan = scan_id();
    let refused = scanner.scan_as(north, scan, token).await;
    assert_eq!(refusal(refused), "403 no_shift");
    let elsewhere = scanner
        .lan
        .begin_shift(GateId(Uuid::from_u128(0x99)), proof(SAM, PIN));
    assert_eq!(refusal(elsewhere.await), "403 gate_not_allowed");
    scanner
        .lan
        .begin_shift(north, proof(SAM, PIN))
        .await
        .unwrap();
    let answer = scanner.scan_as(north, scan, token).await.unwrap();
    assert_eq!((answer.verdict, answer.repeated), (Verdict::Admit, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_on_shift_at_a_scanner_that_is_unpaired() {
    let (world, core, scanner) = employed(&[]).await;
    sign_in(&core, &scanner, SAM, PIN).await;
    let begun = scanner.lan.begin_shift(world.venue.north, proof(SAM, PIN));
    begun.await.unwrap();
    let id = scanner.lan.pairing().scanner_id.to_string();
    let arguments = ["scanners", "unpair", &id];
    let (code, text) = crate::tools::run(&world, &arguments).await;
    assert_eq!(code, 0, "{text}");
    let kept = std::fs::read_to_string(world.folder.path().join("shifts.json")).unwrap();
    assert_eq!(kept, "{}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sign_in_ends_as_the_provider_says_and_never_hangs() {
    let (world, core, scanner) = employed(&[]).await;
    let (_, report) = crate::tools::run(&world, &["doctor"]).await;
    assert!(
        report.contains("ok    sign-in      nobody has begun"),
        "{report}"
    );
    for (progress, reason) in [
        (SignInProgress::Denied, SignInRefusal::Denied),
        (SignInProgress::Expired, SignInRefusal::Expired),
        (SignInProgress::NotStaff, SignInRefusal::NotStaff),
    ] {
        let begun = scanner.lan.begin_sign_in().await.unwrap();
        assert_eq!(begun.user_code, "WDJB-MJHT");
        core.end_sign_ins(&progress).await;
        let refused = SignInState::Refused { reason };
        assert_eq!(state(&scanner, &begun).await, refused);
        let request = PinRequest {
            sign_in_id: begun.sign_in_id,
            pin: PIN.to_owned(),
        };
        let refused = scanner.lan.set_pin(&request).await;
        assert_eq!(refusal(refused), "404 sign_in_unknown");
    }
    // A core that has restarted knows nothing of it.
    let begun = scanner.lan.begin_sign_in().await.unwrap();
    core.forget_sign_ins();
    let expired = SignInState::Refused {
        reason: SignInRefusal::Expired,
    };
    assert_eq!(state(&scanner, &begun).await, expired);
    core.provider_is(false, true);
    let unfit = scanner.lan.begin_sign_in().await;
    assert_eq!(refusal(unfit), "503 sign_in_unavailable");
    let (_, report) = crate::tools::run(&world, &["doctor"]).await;
    assert!(
        report.contains("warn  sign-in      the identity provider can't be signed in with"),
        "{report}"
    );
    core.provider_is(true, false);
    let silent = scanner.lan.begin_sign_in().await;
    assert_eq!(refusal(silent), "503 core_unreachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_is_its_own_scanners_and_sets_one_good_pin() {
    let (world, core, scanner) = employed(&[]).await;
    let other = world.scanner(2).await;
    let begun = scanner.lan.begin_sign_in().await.unwrap();
    core.end_sign_ins(&granted(SAM)).await;
    state(&scanner, &begun).await;
    let request = |pin: &str| PinRequest {
        sign_in_id: begun.sign_in_id,
        pin: pin.to_owned(),
    };
    assert_eq!(
        refusal(other.lan.sign_in(begun.sign_in_id).await),
        "404 sign_in_unknown"
    );
    assert_eq!(
        refusal(other.lan.set_pin(&request(PIN)).await),
        "404 sign_in_unknown"
    );
    for (pin, code) in [
        ("123456", "422 pin_too_simple"),
        ("12345", "422 validation_error"),
        ("27182x", "422 validation_error"),
    ] {
        assert_eq!(refusal(scanner.lan.set_pin(&request(pin)).await), code);
    }
    scanner.lan.set_pin(&request(PIN)).await.unwrap();
    assert_eq!(
        refusal(scanner.lan.set_pin(&request("314159")).await),
        "404 sign_in_unknown"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_begins_sign_ins_without_end_is_stopped() {
    let (_world, core, scanner) = employed(&[]).await;
    for _ in 0..2 {
        scanner.lan.begin_sign_in().await.unwrap();
    }
    for _ in 0..20 {
        let refused = scanner.lan.begin_sign_in().await;
        assert_eq!(refusal(refused), "429 too_many_sign_ins");
    }
    assert_eq!(core.sign_ins_begun(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_line_has_a_pin_a_word_or_a_name() {
    let (world, core) = World::enrolled(|_, identity| identity).await;
    let mut command = tokio::process::Command::new(PROGRAM);
    command.arg("run").env_clear();
    command.env("EVENTIFY_EDGE__LOG__FILTER", "trace");
    let mut process = Process::start_by(command, world.folder.path()).await;
    let scanner = pair(world.folder.path()).await;
    until("the line is up", async || {
        scanner.lan.people().await.unwrap().online
    })
    .await;
    let name = "Zaphod Quux";
    core.employ(SAM, 1, entry(name, &[StaffRole::Supervisor]))
        .await;
    until_listed(&scanner, 1).await;
    sign_in(&core, &scanner, SAM, PIN).await;
    let north = world.venue.north;
    let wrong = scanner.lan.begin_shift(north, proof(SAM, "314159")).await;
    assert_eq!(refusal(wrong), "401 wrong_pin");
    scanner
        .lan
        .begin_shift(north, proof(SAM, PIN))
        .await
        .unwrap();
    let word = scanner.lan.authorise(proof(SAM, PIN)).await.unwrap();
    core.employ(SAM, 2, None).await;
    until_listed(&scanner, 0).await;
    process.until_logged("staff.shift_begun").await;
    let log = process.kill().await;
    let text: String = log.iter().map(ToString::to_string).collect();
    assert!(text.contains("staff.wrong_pin") && text.contains("staff.shift_begun"));
    for secret in [
        PIN,
        "314159",
        &word.authorisation,
        name,
        "Quux",
        "WDJB-MJHT",
    ] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}
