use super::*;
use crate::view::{LockReason, NodeMode, PairAgainReason};

fn truth(gate: &Gate) -> crate::view::Truth {
    gate.app
        .view(gate.now)
        .truth
        .expect("the node has answered")
}

#[test]
fn the_countdown_goes_on_between_two_words_of_the_node_and_is_announced_three_times() {
    let mut gate = Gate::open();
    gate.mode(Mode::Degraded, Some(Duration::from_secs(150)));
    assert_eq!(gate.notices(), []);
    gate.pass(10_000);
    assert_eq!(truth(&gate).locks_in_ms, Some(140_000));
    assert_eq!(truth(&gate).cache_age_ms, Some(15_000));
    for in_ms in [120_000, 60_000, 30_000] {
        let wait = u64::from(truth(&gate).locks_in_ms.unwrap() - in_ms);
        gate.pass(wait - 1);
        assert_eq!(gate.notices(), []);
        gate.pass(1);
        assert_eq!(gate.notices(), [Notice::LocksSoon { in_ms }]);
        gate.pass(10_000);
        assert_eq!(gate.notices(), []);
    }
    // Silent to the end: then it has locked, and nobody needs to say so.
    gate.pass(20_000);
    assert_eq!(truth(&gate).mode, NodeMode::Locked);
    let reason = LockReason::CacheTooOld;
    assert!(matches!(gate.screen(), Screen::Locked { reason: is, .. } if is == reason));
    assert_eq!(gate.sounds, [Rhythm::Siren]);
}

#[test]
fn a_line_that_is_back_ends_the_warning_that_the_gate_locks() {
    let mut gate = Gate::open();
    gate.mode(Mode::Degraded, Some(Duration::from_secs(60)));
    assert!(matches!(gate.notices()[..], [Notice::LocksSoon { .. }]));
    gate.mode(Mode::Online, None);
    assert_eq!(gate.notices(), []);
}

#[test]
fn a_line_is_back_only_where_it_was_away() {
    let mut gate = Gate::open();
    gate.mode(Mode::Online, None);
    // For a moment, by a supervisor's act: the core has answered all the time.
    gate.mode(Mode::Resyncing, Some(Duration::from_secs(300)));
    assert!(!truth(&gate).was_cut_off);
    for alone in [Mode::Degraded, Mode::Locked] {
        gate.mode(alone, None);
        gate.mode(Mode::Resyncing, None);
        assert!(truth(&gate).was_cut_off);
        gate.mode(Mode::Online, None);
        assert!(!truth(&gate).was_cut_off);
    }
}

#[test]
fn a_lock_sounds_once_and_again_only_after_the_node_was_back() {
    let mut gate = Gate::open();
    for _ in 0..3 {
        gate.mode(Mode::Locked, None);
        gate.pass(1_000);
    }
    assert_eq!(gate.sounds, [Rhythm::Siren]);
    gate.mode(Mode::Online, None);
    assert!(matches!(gate.screen(), Screen::Ready { .. }));
    gate.mode(Mode::Locked, None);
    assert_eq!(gate.sounds, [Rhythm::Siren; 2]);
    // A verdict of before makes way, and a scan still gets the node's word.
    gate.scan("A");
    gate.verdict(Verdict::ResyncRequired);
    assert!(matches!(gate.screen(), Screen::Verdict(_)));
    gate.pass(3_000);
    assert!(matches!(gate.screen(), Screen::Locked { .. }));
}

#[test]
fn a_node_out_of_reach_is_another_screen_than_a_locked_one_and_it_comes_back_by_itself() {
    let mut gate = Gate::open();
    gate.pass(5_000);
    gate.stream_ends();
    assert!(
        matches!(gate.screen(), Screen::Ready { .. }),
        "the line may be fine"
    );
    let mut pauses = Vec::new();
    for _ in 0..6 {
        gate.answer(
            |call| matches!(call, Call::Listen),
            Answer::Listening(Err(no_answer())),
        );
        let Screen::NodeUnreachable {
            retry_in_ms,
            waiting: 0,
            ..
        } = gate.screen()
        else {
            panic!("{:?}", gate.screen())
        };
        pauses.push(retry_in_ms);
        gate.pass(u64::from(retry_in_ms));
    }
    assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    assert_eq!(truth(&gate).mode, NodeMode::Unreachable);
    // Nobody is let in; the scan is kept and asked as soon as there is a node again.
    gate.scan("A");
    gate.scan_result(Err(no_answer()));
    assert!(matches!(
        gate.screen(),
        Screen::NodeUnreachable { waiting: 1, .. }
    ));
    assert!(!gate.sounds.contains(&Rhythm::Siren));
    gate.answer(
        |call| matches!(call, Call::Listen),
        Answer::Listening(Ok(())),
    );
    gate.pass(200);
    gate.verdict(Verdict::Admit);
    assert!(matches!(gate.screen(), Screen::Verdict(_)));
}

/// What the screen of a locked node tells people to do.
fn procedure(gate: &Gate) -> Vec<String> {
    let Screen::Locked { procedure, .. } = gate.screen() else {
        panic!("{:?}", gate.screen())
    };
    procedure
}

fn answer_status(gate: &mut Gate, status: NodeStatus) {
    let answer = Answer::Status(Ok(Box::new(status)));
    gate.answer(|call| matches!(call, Call::Status), answer);
}

#[test]
fn a_locked_gate_shows_what_the_venue_wants_done_also_after_a_restart() {
    let mut gate = Gate::open();
    gate.mode(Mode::Locked, None);
    assert!(procedure(&gate).is_empty(), "the app's own is shown");
    let steps = vec!["Keep the queue".to_owned(), "Call 12 34".to_owned()];
    // The venue changes it in the evening: the node is asked again with each renewal.
    gate.pass(301_000);
    let life = Duration::from_secs(600);
    gate.answer(
        |call| matches!(call, Call::Renew),
        Answer::Renewed(Ok(life)),
    );
    let told = NodeStatus {
        procedure: steps.clone(),
        ..node_status(&[1, 2])
    };
    answer_status(&mut gate, told);
    assert_eq!(procedure(&gate), steps);
    let written = Write::Procedure(steps.clone());
    assert!(gate.writes.iter().any(|(_, write)| *write == written));

    let mut gate = Gate::with(Loaded {
        procedure: steps.clone(),
        ..Gate::paired(vec![])
    });
    // The node was restarted, too, and has nothing of the venue yet.
    gate.connect();
    gate.mode(Mode::Locked, None);
    assert_eq!(procedure(&gate), steps);
    assert_eq!(gate.writes, []);
    // One that knows the venue takes it back.
    gate.pass(301_000);
    gate.answer(
        |call| matches!(call, Call::Renew),
        Answer::Renewed(Ok(life)),
    );
    let mut none = node_status(&[1, 2]);
    none.replica.digest = Some(eventify_protocol::sync::Digest(
        eventify_protocol::hash::Hash32::ZERO,
    ));
    answer_status(&mut gate, none);
    assert!(procedure(&gate).is_empty());
}

#[test]
fn a_gate_shows_its_venues_times_also_after_a_restart_and_beside_an_older_node() {
    let paris = Some("Europe/Paris".to_owned());
    let zone = |gate: &Gate| gate.app.view(gate.now).time_zone;
    let mut gate = Gate::open();
    assert_eq!(zone(&gate), None, "the device's own");
    let renewed = |gate: &mut Gate, told: Option<&str>| {
        gate.pass(301_000);
        let life = Duration::from_secs(600);
        gate.answer(
            |call| matches!(call, Call::Renew),
            Answer::Renewed(Ok(life)),
        );
        let told = NodeStatus {
            time_zone: told.map(str::to_owned),
            ..node_status(&[1, 2])
        };
        answer_status(gate, told);
    };
    renewed(&mut gate, Some("Europe/Paris"));
    assert_eq!(zone(&gate), paris);
    let written = Write::TimeZone(paris.clone());
    assert!(gate.writes.iter().any(|(_, write)| *write == written));

    let mut gate = Gate::with(Loaded {
        time_zone: paris.clone(),
        ..Gate::paired(vec![])
    });
    assert_eq!(zone(&gate), paris);
    gate.connect();
    // A node of before, or one that has not heard it.
    renewed(&mut gate, None);
    assert_eq!(zone(&gate), paris);
    renewed(&mut gate, Some("Asia/Tokyo"));
    assert_eq!(zone(&gate).as_deref(), Some("Asia/Tokyo"));
}

#[test]
fn a_gate_that_locks_asks_what_the_venue_wants_done_by_now() {
    let mut gate = Gate::open();
    gate.mode(Mode::Online, None);
    gate.mode(Mode::Locked, None);
    let procedure_now = vec!["Radio channel 3".to_owned()];
    let told = NodeStatus {
        procedure: procedure_now.clone(),
        ..node_status(&[1, 2])
    };
    answer_status(&mut gate, told);
    assert_eq!(procedure(&gate), procedure_now);
}

#[test]
fn access_is_renewed_before_it_ends() {
    let mut gate = Gate::open();
    gate.calls.clear();
    gate.pass(299_000);
    assert!(gate.calls.is_empty());
    gate.pass(2_000);
    gate.take_call(|call| matches!(call, Call::Renew));
}

#[test]
fn a_stream_that_ends_is_opened_again_and_nothing_flickers() {
    let mut gate = Gate::open();
    gate.pass(5_000);
    gate.stream_ends();
    gate.answer(
        |call| matches!(call, Call::Listen),
        Answer::Listening(Ok(())),
    );
    assert!(matches!(gate.screen(), Screen::Ready { .. }));
    // One that ends at once is not asked for in a circle.
    gate.stream_ends();
    assert!(
        !gate
            .calls
            .iter()
            .any(|(_, call)| matches!(call, Call::Listen))
    );
    gate.pass(1_000);
    gate.take_call(|call| matches!(call, Call::Listen));
}

#[test]
fn a_scanner_that_the_node_does_not_know_says_why_and_goes_on_if_it_is_known_again() {
    for (error, reason) in [
        (
            refused(401, "scanner_unknown", None),
            PairAgainReason::Unpaired,
        ),
        (
            refused(401, "scanner_expired", None),
            PairAgainReason::Expired,
        ),
        (ClientError::WrongKey, PairAgainReason::OtherNode),
    ] {
        let mut gate = Gate::open();
        gate.scan("A");
        gate.scan_result(Err(error));
        assert_eq!(gate.screen(), Screen::PairAgain { reason });
        // Whoever answers with another key can't make the app forget its pairing.
        gate.pass(15_000);
        let life = Duration::from_secs(600);
        gate.answer(
            |call| matches!(call, Call::Renew),
            Answer::Renewed(Ok(life)),
        );
        assert!(!matches!(gate.screen(), Screen::PairAgain { .. }));
        assert!(
            !gate
                .writes
                .iter()
                .any(|(_, write)| *write == Write::ForgetPairing)
        );
    }
}

#[test]
fn a_person_can_pair_again_where_the_node_has_forgotten_the_scanner() {
    let mut gate = Gate::open();
    gate.scan("A");
    gate.scan_result(Err(refused(401, "scanner_unknown", None)));
    gate.command(Command::Unpair);
    assert!(
        gate.writes
            .iter()
            .any(|(_, write)| *write == Write::ForgetPairing)
    );
    assert!(matches!(gate.screen(), Screen::Pair { .. }));
}
