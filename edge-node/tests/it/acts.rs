//! What people do at a gate beside scanning, over the LAN (`ADMISSION` 3.13 to 3.15).

use eventify_protocol::{
    ids::{ActId, GateId, ScanId},
    lan::{Act, ActRequest, NodeStatus, Reason, ReasonCode},
    sync::JournalEntry,
    verdict::{Mode, Verdict},
};
use uuid::Uuid;

use crate::{
    staff::{KIM, PIN, SAM, employed, proof, sign_in, until},
    tools::run,
    world::{Scanner, refusal},
};

fn request(number: u128, gate_id: GateId, act: Act) -> ActRequest {
    ActRequest {
        act_id: ActId(Uuid::from_u128(0xAC7_0000 + number)),
        gate_id,
        act,
        reason: Some(Reason {
            code: ReasonCode::NotInside,
            note: None,
        }),
        authorisation: None,
    }
}

fn overriding(number: u128, gate: GateId, scan_id: ScanId) -> ActRequest {
    request(number, gate, Act::Override { scan_id })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_lets_in_whom_the_gate_refused_and_the_journal_says_who_it_was() {
    let (mut world, core, mut scanner) = employed(&[]).await;
    let north = world.venue.north;
    sign_in(&core, &scanner, SAM, PIN).await;
    sign_in(&core, &scanner, KIM, PIN).await;
    core.line.cut();
    world.until_mode(Mode::Degraded).await;
    let token = world.tickets[0].token.clone();
    assert_eq!(scanner.scan(north, &token).await.verdict, Verdict::Admit);
    let refused = scanner.scan(north, &token).await;
    assert!(matches!(refused.verdict, Verdict::AlreadyUsed { .. }));
    let act = overriding(1, north, refused.scan_id);
    assert_eq!(refusal(scanner.lan.act(&act).await), "409 no_shift");
    let shift = scanner.lan.begin_shift(north, proof(SAM, PIN)).await;
    shift.unwrap();
    assert_eq!(
        refusal(scanner.lan.act(&act).await),
        "403 not_allowed",
        "a steward calls a supervisor"
    );
    let word = scanner.lan.authorise(proof(KIM, PIN)).await.unwrap();
    let act = ActRequest {
        authorisation: Some(word.authorisation.clone()),
        ..act
    };
    no_act_without_a_reason_that_can_be_read(&scanner, &act).await;
    let done = scanner.lan.act(&act).await.unwrap();
    assert_eq!((done.person_id, done.mode), (KIM, Mode::Degraded));
    assert_eq!((done.repeated, done.left_this_hour), (false, Some(29)));
    assert!(done.ticket.is_some(), "whom it was about");

    // The answer was lost, or the process is another one: it is done once.
    assert!(scanner.lan.act(&act).await.unwrap().repeated);
    world.stop().await;
    world.start(&[]).await;
    world.reconnect(&mut scanner).await;
    let word = scanner.lan.authorise(proof(KIM, PIN)).await.unwrap();
    let act = ActRequest {
        authorisation: Some(word.authorisation.clone()),
        ..act
    };
    assert!(scanner.lan.act(&act).await.unwrap().repeated);
    let other = ActRequest {
        act: Act::ChangeGate,
        ..act.clone()
    };
    assert_eq!(
        refusal(scanner.lan.act(&other).await),
        "409 act_id_conflict"
    );

    core.line.heal();
    let by = || {
        let rows = core.journal();
        let acts = rows.iter().filter_map(|row| {
            let JournalEntry::Overridden(row) = &row.row().entry else {
                return None;
            };
            Some((row.by.person, row.scan))
        });
        acts.collect::<Vec<_>>()
    };
    until("the core has the act", async || !by().is_empty()).await;
    assert_eq!(by(), [(KIM, refused.scan_id)]);
}

async fn no_act_without_a_reason_that_can_be_read(scanner: &Scanner, act: &ActRequest) {
    let with = |note: &str| Reason {
        code: ReasonCode::Other,
        note: Some(note.to_owned()),
    };
    let notes = ["first\nsecond", "\u{202e}dne", "\u{200d}"];
    for reason in std::iter::once(None).chain(notes.map(with).map(Some)) {
        let request = ActRequest {
            reason,
            ..act.clone()
        };
        let refused = refusal(scanner.lan.act(&request).await);
        assert_eq!(refused, "422 validation_error", "{:?}", request.reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_is_sent_back_can_come_again_and_a_scanner_goes_on_at_another_gate() {
    let (world, core, scanner) = employed(&[]).await;
    let north = world.venue.north;
    sign_in(&core, &scanner, KIM, PIN).await;
    scanner
        .lan
        .begin_shift(north, proof(KIM, PIN))
        .await
        .unwrap();
    core.line.cut();
    world.until_mode(Mode::Degraded).await;
    let token = &world.tickets[0].token;
    let admitted = scanner.scan(north, token).await;
    assert_eq!(admitted.verdict, Verdict::Admit);
    let undo = Act::Undo {
        scan_id: admitted.scan_id,
    };
    scanner.lan.act(&request(1, north, undo)).await.unwrap();
    assert_eq!(scanner.scan(north, token).await.verdict, Verdict::Admit);
    let exit = Act::Exit {
        token: token.clone(),
    };
    assert_eq!(
        refusal(scanner.lan.act(&request(2, north, exit)).await),
        "503 core_unreachable",
        "only the core knows who is inside"
    );
    let unknown = overriding(3, north, ScanId(Uuid::from_u128(7)));
    assert_eq!(
        refusal(scanner.lan.act(&unknown).await),
        "404 scan_not_found"
    );
    let moved = request(4, north, Act::ChangeGate);
    scanner.lan.act(&moved).await.unwrap();
    let shift = scanner.lan.shift().await.unwrap().expect("a shift");
    assert_eq!(shift.gate_id, north);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_did_is_listed_at_the_node_with_who_where_and_why() {
    let (mut world, core, scanner) = employed(&[]).await;
    let (code, text) = run(&world, &["acts"]).await;
    assert_eq!(
        (code, text.as_str()),
        (0, "nobody has overridden, undone or moved anything\n")
    );
    core.say_time_zone("Asia/Kathmandu").await;
    let is_known = |status: &NodeStatus| status.time_zone.as_deref() == Some("Asia/Kathmandu");
    world.until(is_known).await;
    let north = world.venue.north;
    sign_in(&core, &scanner, KIM, PIN).await;
    let shift = scanner.lan.begin_shift(north, proof(KIM, PIN)).await;
    shift.unwrap();
    core.line.cut();
    world.until_mode(Mode::Degraded).await;
    let admitted = scanner.scan(north, &world.tickets[0].token).await;
    let mut undo = request(
        1,
        north,
        Act::Undo {
            scan_id: admitted.scan_id,
        },
    );
    undo.reason = Some(Reason {
        code: ReasonCode::StaysOutside,
        note: Some("forgot a coat".to_owned()),
    });
    scanner.lan.act(&undo).await.unwrap();
    let beside = run(&world, &["acts"]).await;
    for line in [
        " +05:45 Asia/Kathmandu  took back the newest admission\n",
        "    by       Kim\n",
        "    because  the guest stays outside: forgot a coat\n",
        ", Degraded\n",
    ] {
        assert!(beside.1.contains(line), "{line} in\n{}", beside.1);
    }
    let (_, json) = run(&world, &["acts", "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let act = &json["acts"][0];
    assert_eq!(act["kind"], "undo", "as the report of the core has it");
    assert_eq!(act["personId"], serde_json::json!(KIM));
    assert_eq!(act["reason"]["note"], "forgot a coat");
    assert_eq!(act["scanId"], serde_json::json!(admitted.scan_id));
    assert_eq!(act["atIsProven"], true);
    let at = act["at"].as_str().unwrap();
    assert!(at.ends_with("+05:45"), "{at}");
    assert_eq!(json["timeZone"], "Asia/Kathmandu");
    let (_, scanners) = run(&world, &["scanners"]).await;
    for shown in ["    paired     ", "    last seen  "] {
        let line = scanners.lines().find(|line| line.starts_with(shown));
        let line = line.unwrap_or_else(|| panic!("{scanners}"));
        assert!(line.ends_with(" +05:45 Asia/Kathmandu"), "{scanners}");
    }
    world.stop().await;
    assert_eq!(run(&world, &["acts"]).await, beside, "without the node");
}
