//! Short codes typed at a scanner, and what a scanner is told by name.

use eventify_lan_client::SigningKey;
use eventify_protocol::{
    ids::ActId,
    lan::{Act, ActRequest, NamedGate, PairingAnswer, PairingRequest, ScanAnswer},
    sync::PerformanceState,
    verdict::{DecidedBy, Mode, Verdict},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::staff::{PIN, SAM, employed, proof, sign_in};
use crate::world::{Scanner, World, refusal, scan_id};

fn place(answer: &ScanAnswer) -> Option<&str> {
    answer.ticket.as_ref()?.place.as_deref()
}

/// Asked at the core, and alone in a cut: each ticket lets one guest in, typed or scanned.
#[tokio::test(flavor = "multi_thread")]
async fn a_typed_code_admits_once_online_and_in_a_cut() {
    let (mut world, core, scanner) = World::connected(&[]).await;
    let (north, south) = (world.venue.north, world.venue.south);
    let codes = ["7K3QM-01T2B", "ZZZZZ-00001"];
    world.until_ready().await;
    let coded = codes.iter().zip(&world.tickets[..]);
    let coded = coded.map(|(code, ticket)| world.venue.coded(ticket, 2, code));
    core.publish(coded.collect()).await;
    world
        .until(|status| status.replica.digest == Some(core.digest()))
        .await;

    let typed = scanner.scan(north, " 7k3qm-oit2b").await;
    assert_eq!(
        (&typed.verdict, typed.decided_by),
        (&Verdict::Admit, DecidedBy::Core)
    );
    assert_eq!(place(&typed), Some("A-0"));
    let ticket = typed.ticket.expect("of ours");
    assert_eq!(ticket.title.as_deref(), Some("Opening night"));
    assert_eq!(ticket.category_name.as_deref(), Some("Stalls"));
    let scanned = scanner.scan(south, &world.tickets[0].token).await;
    assert!(
        matches!(scanned.verdict, Verdict::AlreadyUsed { .. }),
        "{scanned:?}"
    );
    assert_eq!(scanned.first_gate_name.as_deref(), Some("North"));
    assert!(scanned.first_ago_ms.is_some());

    core.line.cut();
    let typed = scanner.scan(south, codes[1]).await;
    assert_eq!(
        (&typed.verdict, typed.mode),
        (&Verdict::Admit, Mode::Degraded)
    );
    assert_eq!(place(&typed), Some("A-1"));
    let scanned = scanner.scan(north, &world.tickets[1].token).await;
    assert!(
        matches!(scanned.verdict, Verdict::AlreadyUsed { .. }),
        "{scanned:?}"
    );
    let unknown = scanner.scan(north, "00000-00000").await;
    assert_eq!(
        (unknown.verdict, unknown.ticket),
        (Verdict::UnknownOffline, None)
    );

    core.line.heal();
    world
        .until(|status| status.mode == Mode::Online && status.journal.unacknowledged == 0)
        .await;
    world.stop().await;
}

/// 50 bits are enough as long as nobody may try them all.
#[tokio::test(flavor = "multi_thread")]
async fn five_wrong_codes_stop_a_scanners_typing_and_its_qr_codes_go_on() {
    let world = World::alone(&[]).await;
    let scanner = world.scanner(1).await;
    let north = world.venue.north;
    for number in 0..5 {
        let answer = scanner.scan(north, &format!("00000-0000{number}")).await;
        assert_eq!(answer.verdict, Verdict::UnknownOffline);
    }
    let stopped = scanner.scan_as(north, scan_id(), "00000-00005").await;
    let error = stopped.unwrap_err();
    let refused = error.refusal().expect("an answer of the node");
    assert_eq!(
        (refused.status, refused.error.code.as_str()),
        (429, "too_many_wrong_codes")
    );
    let pause = refused
        .retry_after
        .expect("when it may type again")
        .as_secs();
    assert!((1..=60).contains(&pause), "{pause} s");

    let scanned = scanner.scan(north, &world.tickets[0].token).await;
    assert_eq!(scanned.verdict, Verdict::Admit);
    let other = world.scanner(2).await.scan(north, "00000-00005").await;
    assert_eq!(
        other.verdict,
        Verdict::UnknownOffline,
        "another scanner types"
    );
    let still = scanner.scan_as(north, scan_id(), "00000-00006").await;
    assert_eq!(refusal(still), "429 too_many_wrong_codes");
}

/// An id that is used again is no second look at the same code: not at a scan, and not at an exit, whether it
/// was done before or not.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_codes_with_one_id_has_five_guesses_too() {
    let (world, core, scanner) = employed(&[]).await;
    let north = world.venue.north;
    sign_in(&core, &scanner, SAM, PIN).await;
    let shift = scanner.lan.begin_shift(north, proof(SAM, PIN)).await;
    shift.unwrap();
    let exit = |code: u32| ActRequest {
        act_id: ActId(uuid::Uuid::from_u128(7)),
        gate_id: north,
        act: Act::Exit {
            token: format!("00000-0{code:04}"),
        },
        reason: None,
        authorisation: None,
    };
    for code in 0..5 {
        let refused = scanner.lan.act(&exit(code)).await;
        assert_eq!(refusal(refused), "404 ticket_not_found");
    }
    let stopped = scanner.lan.act(&exit(6)).await;
    assert_eq!(refusal(stopped), "429 too_many_wrong_codes");
}

/// A node that locks names the ticket of a code that it knows: it has to count the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_node_counts_wrong_codes() {
    let (world, core, scanner) = World::connected(&[("admission.max_cache_age_ms", "3000")]).await;
    let north = world.venue.north;
    world.until_ready().await;
    core.line.cut();
    world.until_mode(Mode::Locked).await;
    for number in 0..5 {
        let answer = scanner.scan(north, &format!("00000-0000{number}")).await;
        assert_eq!(answer.verdict, Verdict::ResyncRequired);
    }
    let stopped = scanner.scan_as(north, scan_id(), "00000-00005").await;
    assert_eq!(refusal(stopped), "429 too_many_wrong_codes");
}

/// A scanner is set up by names, and never shown a gate that it may not scan for.
#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_is_offered_gates_and_performances_by_name() {
    let world = World::alone(&[]).await;
    let (north, south) = (world.venue.north, world.venue.south);
    let anybody: Scanner = world.scanner(9).await;
    let pair = async |code: &eventify_protocol::lan::PairingCode, seed: u8| -> PairingAnswer {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let request = PairingRequest {
            code: code.secret.clone(),
            public_key: URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()),
            label: "Door".to_owned(),
        };
        anybody.lan.node().pair(&request, &key).await.unwrap()
    };
    let all = pair(&world.node().pairing_code(None), 1).await;
    let named = |gate_id, name: &str| NamedGate {
        gate_id,
        name: name.to_owned(),
    };
    let mut gates = all.gates;
    gates.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(gates, [named(north, "North"), named(south, "South")]);

    let narrow = pair(&world.node().pairing_code(Some(vec![south])), 2).await;
    assert_eq!(narrow.gates, [named(south, "South")]);
    let show = &narrow.performances[0];
    assert_eq!(
        (show.title.as_str(), show.state),
        ("Opening night", PerformanceState::Scheduled)
    );
    assert_eq!((show.doors_at, show.starts_at), (1_000_000, 1_003_600));
    assert_eq!(show.gates, [south]);

    let status = anybody.lan.status().await.unwrap();
    assert_eq!(status.performances.len(), 1);
    assert_eq!(status.performances[0].gates.len(), 2);
}
