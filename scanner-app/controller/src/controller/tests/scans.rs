use super::*;
use crate::view::{Class, Why};

#[test]
fn the_id_is_on_the_disk_before_the_request_leaves() {
    let mut gate = Gate::open();
    gate.command(Command::CameraRead {
        text: "A".to_owned().into(),
    });
    assert_eq!(gate.asked(), None);
    let [(id, Write::ScanOpened(kept))] = &gate.writes[..] else {
        panic!("{:?}", gate.writes)
    };
    let (id, kept) = (*id, kept.clone());
    gate.send(Input::Written(id, true));
    let asked = gate.asked().unwrap();
    assert_eq!((asked.scan_id, asked.token.as_str()), (kept.scan_id, "A"));
    assert_eq!(asked.scan_id.as_uuid().get_version_num(), 7);
    gate.writes.clear();
    gate.verdict(Verdict::Admit);
    assert!(matches!(&gate.writes[..], [(_, Write::ScanClosed(id))] if *id == kept.scan_id));
}

#[test]
fn a_full_disk_is_said_and_holds_nobody_up() {
    let mut gate = Gate::open();
    gate.command(Command::CameraRead {
        text: "A".to_owned().into(),
    });
    gate.store(false);
    assert_eq!(gate.notices(), [Notice::NotStored]);
    gate.verdict(Verdict::Admit);
    assert_eq!(gate.shown().class, Class::Go);
    gate.store(true);
    assert_eq!(gate.notices(), []);
}

#[test]
fn a_lost_answer_is_asked_again_as_the_same_scan() {
    let mut gate = Gate::open();
    gate.scan("A");
    let first = gate.asked().unwrap();
    gate.pass(100);
    assert!(matches!(gate.screen(), Screen::Ready { .. }));
    gate.pass(50);
    assert!(matches!(
        gate.screen(),
        Screen::Checking {
            age_ms: 150,
            tries: 0,
            ..
        }
    ));
    gate.pass(2_850);
    gate.scan_result(Err(no_answer()));
    gate.pass(200);
    assert_eq!(gate.asked().as_ref(), Some(&first));
    assert!(matches!(
        gate.screen(),
        Screen::Checking {
            age_ms: 3_200,
            tries: 1,
            ..
        }
    ));
    // The same ticket under the imager meanwhile is the same scan.
    gate.scan("A");
    assert_eq!(gate.calls.len(), 1);
    gate.verdict(Verdict::Admit);
    let shown = gate.shown();
    assert_eq!(shown.scan_id, first.scan_id.to_string());
    assert_eq!(shown.at_ms - shown.triggered_at_ms, 3_200);
    assert_eq!(gate.sounds, [Rhythm::Click, Rhythm::Go]);
}

#[test]
fn after_a_crash_the_scan_goes_on_and_one_of_long_ago_waits_for_its_ticket() {
    let scans = vec![kept(1, "OLD", 600_000), kept(2, "NEW", 20_000)];
    let mut gate = Gate::with(Gate::paired(scans));
    gate.connect();
    assert_eq!(gate.asked().unwrap().scan_id, ScanId(Uuid::from_u128(2)));
    gate.verdict(used(true));
    assert_eq!(gate.shown().at_ms - gate.shown().triggered_at_ms, 20_000);
    gate.pass(5_000);
    assert_eq!(
        gate.asked(),
        None,
        "the guest of ten minutes ago is not here"
    );
    gate.scan("OLD");
    assert_eq!(gate.asked().unwrap().scan_id, ScanId(Uuid::from_u128(1)));
}

#[test]
fn the_same_code_within_two_seconds_is_the_same_scan_and_later_a_new_one() {
    let mut gate = Gate::open();
    gate.scan("A");
    let first = gate.asked().unwrap().scan_id;
    gate.verdict(Verdict::Admit);
    for _ in 0..5 {
        gate.pass(1_500);
        gate.scan("A");
        assert_eq!(gate.asked(), None);
    }
    assert_eq!(gate.sounds, [Rhythm::Click, Rhythm::Go]);
    gate.pass(2_001);
    gate.scan("A");
    assert_ne!(gate.asked().unwrap().scan_id, first);
}

#[test]
fn a_ticket_without_a_final_verdict_goes_on_with_its_scan() {
    let mut gate = Gate::open();
    gate.scan("A");
    let first = gate.asked().unwrap().scan_id;
    for undecided in [
        Verdict::TryAgain,
        Verdict::UnknownOffline,
        Verdict::NodeFault,
    ] {
        gate.verdict(undecided);
        assert_eq!(gate.shown().class, Class::Hold);
        gate.pass(500);
        gate.scan("B");
        gate.verdict(Verdict::Admit);
        gate.pass(500);
        gate.scan("A");
        assert_eq!(gate.asked().unwrap().scan_id, first);
    }
    gate.verdict(Verdict::Admit);
    assert_eq!(gate.shown().class, Class::Go);
}

#[test]
fn codes_scanned_meanwhile_wait_and_get_their_own_verdicts_in_order() {
    let mut gate = Gate::open();
    for code in ["A", "B", "C", "D", "E"] {
        gate.scan(code);
    }
    assert_eq!(gate.notices(), [Notice::QueueFull], "E is not taken");
    assert_eq!(gate.sounds, [Rhythm::Click; 4]);
    gate.pass(150);
    assert!(matches!(gate.screen(), Screen::Checking { waiting: 3, .. }));
    let verdicts = [Verdict::Admit, used(true), Verdict::Revoked, Verdict::Admit];
    for (code, verdict) in ["A", "B", "C", "D"].into_iter().zip(verdicts) {
        assert_eq!(gate.asked().unwrap().token, code);
        let id = gate.asked().unwrap().scan_id.to_string();
        gate.verdict(verdict);
        gate.store(true);
        assert_eq!(gate.shown().scan_id, id);
        gate.pass(400);
        gate.store(true);
    }
    assert!(
        matches!(gate.screen(), Screen::Verdict(_)),
        "the last one has nothing behind it"
    );
    assert_eq!(gate.app.view(gate.now).counts.unwrap().per_minute, 4);
}

#[test]
fn a_verdict_stands_for_400_ms_however_fast_the_next_answer_is() {
    let mut gate = Gate::open();
    gate.scan("A");
    gate.verdict(Verdict::Revoked);
    let first = gate.shown().scan_id;
    gate.pass(100);
    gate.scan("B");
    gate.verdict(Verdict::Admit);
    assert_eq!(gate.shown().scan_id, first);
    assert_eq!(gate.sounds, [Rhythm::Click, Rhythm::Stop, Rhythm::Click]);
    gate.pass(299);
    assert_eq!(gate.shown().scan_id, first);
    gate.pass(1);
    assert_eq!(gate.shown().class, Class::Go);
    assert_eq!(gate.sounds.last(), Some(&Rhythm::Go));
}

#[test]
fn go_fades_and_what_is_not_go_stays() {
    let mut gate = Gate::open();
    gate.scan("A");
    gate.verdict(Verdict::Admit);
    gate.pass(2_999);
    assert_eq!(gate.shown().class, Class::Go);
    gate.pass(1);
    assert!(matches!(gate.screen(), Screen::Ready { last: Some(_), .. }));
    gate.scan("B");
    gate.verdict(used(false));
    gate.pass(60_000);
    assert!(matches!(
        gate.shown().why,
        Why::AlreadyUsed {
            confirmed: false,
            ..
        }
    ));
    gate.command(Command::Dismiss);
    assert!(matches!(gate.screen(), Screen::Ready { .. }));
}

#[test]
fn what_this_scanner_has_just_shown_needs_nobody_elses_word() {
    let mut gate = Gate::open();
    gate.scan("A");
    gate.verdict(Verdict::Admit);
    gate.pass(3_000);
    gate.scan("A");
    let scan_id = gate.asked().expect("a scan is asked").scan_id;
    let again = ScanAnswer {
        read_again_ms: Some(3_000),
        ..answer(scan_id, used(false))
    };
    gate.scan_result(Ok(again));
    let shown = gate.shown();
    assert_eq!(shown.class, Class::Used, "nobody else goes in by it");
    assert!(matches!(
        shown.why,
        Why::AlreadyUsed {
            confirmed: true,
            read_again_ms: Some(3_000),
            ..
        }
    ));
}

#[test]
fn an_old_verdict_is_gone_when_the_next_code_is_read() {
    let mut gate = Gate::open();
    gate.scan("A");
    gate.verdict(Verdict::Admit);
    gate.pass(1_000);
    gate.scan("B");
    assert!(
        matches!(gate.screen(), Screen::Ready { .. }),
        "no green for the next guest"
    );
}

#[test]
fn a_scan_that_nobody_answers_ends_after_a_minute_and_its_id_stays_the_tickets() {
    let mut gate = Gate::open();
    gate.scan("A");
    let id = gate.asked().unwrap().scan_id;
    while gate.asked().is_some() {
        gate.pass(3_000);
        gate.scan_result(Err(no_answer()));
        gate.pass(2_000);
    }
    assert_eq!(gate.shown().why, Why::NoAnswer { code: None });
    assert_eq!(gate.sounds, [Rhythm::Click, Rhythm::Hold]);
    gate.scan("A");
    assert_eq!(gate.asked().unwrap().scan_id, id);
    // Given up by the person.
    gate.pass(200);
    gate.command(Command::Dismiss);
    assert_eq!(gate.shown().class, Class::Hold);
    gate.pass(500);
    gate.scan("A");
    assert_eq!(gate.asked().unwrap().scan_id, id);
}

#[test]
fn what_was_admitted_by_data_that_is_too_old_now_is_not_green() {
    let mut gate = Gate::open();
    gate.scan("A");
    let scan_id = gate.asked().unwrap().scan_id;
    gate.pass(2_000);
    gate.scan_result(Ok(ScanAnswer {
        decided_by: DecidedBy::Edge,
        cache_age_ms: Some(299_000),
        ..answer(scan_id, Verdict::Admit)
    }));
    assert_eq!(
        (gate.shown().class, gate.shown().why),
        (Class::Hold, Why::TooLate)
    );
    assert!(!gate.sounds.contains(&Rhythm::Go));
}

#[test]
fn what_was_not_decided_is_nobodys_decision() {
    let mut gate = Gate::open();
    for verdict in [Verdict::ResyncRequired, Verdict::TryAgain] {
        gate.scan("A");
        gate.verdict(verdict);
        assert_eq!(gate.shown().decided_by, None);
        gate.pass(3_000);
    }
    gate.scan("B");
    gate.verdict(Verdict::UnknownOffline);
    assert!(gate.shown().decided_by.is_some());
}

#[test]
fn access_that_has_ended_is_renewed_and_the_same_scan_asked_again() {
    let mut gate = Gate::open();
    gate.scan("A");
    let asked = gate.asked();
    gate.scan_result(Err(refused(401, "token_expired", None)));
    assert_eq!(gate.asked(), None);
    let life = Duration::from_secs(600);
    gate.answer(
        |call| matches!(call, Call::Renew),
        Answer::Renewed(Ok(life)),
    );
    assert_eq!(gate.asked(), asked);
    gate.verdict(Verdict::Admit);
    assert_eq!(gate.shown().class, Class::Go);
}

#[test]
fn a_node_that_asks_for_a_pause_gets_it() {
    let mut gate = Gate::open();
    gate.scan("A");
    let asked = gate.asked();
    let pause = Some(Duration::from_secs(7));
    gate.scan_result(Err(refused(429, "too_many_requests", pause)));
    gate.pass(6_999);
    assert_eq!(gate.asked(), None);
    gate.pass(1);
    assert_eq!(gate.asked(), asked);
    gate.scan_result(Err(refused(409, "scan_id_conflict", None)));
    let code = Some("scan_id_conflict".to_owned());
    assert_eq!(gate.shown().why, Why::NoAnswer { code });
}

#[test]
fn a_node_that_has_had_enough_wrong_codes_stops_typing_and_not_scanning() {
    let mut gate = Gate::open();
    let mut keys = vec!["Digit7"; 10];
    keys.push("Enter");
    gate.type_keys(&keys);
    gate.store(true);
    let pause = Some(Duration::from_secs(40));
    gate.scan_result(Err(refused(429, "too_many_wrong_codes", pause)));
    let code = Some("too_many_wrong_codes".to_owned());
    assert_eq!(gate.shown().why, Why::NoAnswer { code });
    gate.pass(500);
    gate.command(Command::Dismiss);
    assert!(
        matches!(gate.screen(), Screen::Ready { typed: Some(typed), .. } if typed.locked_ms.is_some())
    );
    gate.scan("A");
    gate.verdict(Verdict::Admit);
    assert_eq!(gate.shown().class, Class::Go);
}

#[test]
fn the_last_ten_can_be_looked_back_at() {
    let mut gate = Gate::open();
    for number in 0..12 {
        gate.scan(&format!("T{number}"));
        gate.verdict(Verdict::Admit);
        gate.pass(1_000);
    }
    gate.type_keys(&["F3"]);
    let Screen::History { scans } = gate.screen() else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!(scans.len(), 10);
    assert!(scans[0].ago_ms < scans[9].ago_ms);
    // A code closes whatever is open.
    gate.scan("T99");
    gate.verdict(Verdict::Admit);
    assert_eq!(gate.shown().class, Class::Go);
}
