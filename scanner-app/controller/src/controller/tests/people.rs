use eventify_disk::pin::{Pin, PinHash};
use eventify_protocol::{hash::Hash32, lan::PairingCode};

use super::*;
use crate::{
    io::{NewPairing, SerialBytes, StoredPin},
    view::{Act, ImportProblem, PinFor, Why},
};

fn pairing_code() -> String {
    PairingCode {
        node: "https://10.0.0.5:7443".to_owned(),
        key: Hash32([9; 32]),
        secret: "c2VjcmV0".to_owned(),
    }
    .to_string()
}

fn new_pairing(stored: bool) -> Answer {
    Answer::Paired(Ok(NewPairing {
        paired: Gate::paired(vec![]).pairing.unwrap(),
        stored,
        access_for: Duration::from_secs(600),
    }))
}

#[test]
fn after_a_code_that_is_none_typing_begins_anew_and_backspace_mends_it() {
    let typed = |gate: &Gate| {
        let Screen::Pair { typed, problem, .. } = gate.screen() else {
            panic!("{:?}", gate.screen())
        };
        (typed.0, problem)
    };
    let refused = |gate: &mut Gate| {
        gate.scan("EVP1");
        let problem = Some(PairProblem::NotACode);
        assert_eq!(typed(gate), ("EVP1".to_owned(), problem));
    };
    let mut gate = Gate::with(Loaded::default());
    refused(&mut gate);
    gate.type_keys(&["KeyA", "KeyB"]);
    assert_eq!(typed(&gate), ("ab".to_owned(), None));
    refused(&mut gate);
    gate.type_keys(&["Backspace", "KeyB"]);
    assert_eq!(typed(&gate), ("EVPb".to_owned(), None));
}

#[test]
fn the_first_day_goes_from_the_code_to_the_gate() {
    let mut gate = Gate::with(Loaded::default());
    gate.scan("EV1:NOT THIS ONE");
    let problem = Some(PairProblem::NotACode);
    assert!(matches!(gate.screen(), Screen::Pair { problem: is, .. } if is == problem));
    gate.scan(&pairing_code());
    assert!(matches!(
        gate.screen(),
        Screen::Pair {
            asking: true,
            problem: None,
            ..
        }
    ));
    let used = Err(refused(403, "pairing_code_unknown", None));
    gate.answer(|call| matches!(call, Call::Pair(_)), Answer::Paired(used));
    let problem = Some(PairProblem::CodeEnded);
    assert!(matches!(gate.screen(), Screen::Pair { problem: is, .. } if is == problem));
    gate.scan(&pairing_code());
    gate.answer(|call| matches!(call, Call::Pair(_)), new_pairing(true));
    gate.answer(
        |call| matches!(call, Call::Listen),
        Answer::Listening(Ok(())),
    );
    gate.answer(|call| matches!(call, Call::Status), status(&[1, 2]));
    let Screen::Choose { gates, .. } = gate.screen() else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!(gates.len(), 2);
    gate.scan("A");
    assert_eq!(gate.asked(), None, "no gate, no scan");
    gate.command(Command::Choose {
        gate_id: gate_id(9).to_string(),
        performance_id: None,
    });
    assert!(
        matches!(gate.screen(), Screen::Choose { .. }),
        "not one of ours"
    );
    gate.command(Command::Choose {
        gate_id: gate_id(2).to_string(),
        performance_id: None,
    });
    assert!(matches!(gate.screen(), Screen::Ready { .. }));
    assert_eq!(gate.app.view(gate.now).place.unwrap().gate, "Gate 2");
    assert!(matches!(gate.writes.last(), Some((_, Write::Place(_)))));
}

#[test]
fn one_gate_is_no_choice_and_a_gate_that_is_gone_is_no_place() {
    let mut loaded = Gate::paired(vec![]);
    loaded.pairing.as_mut().unwrap().gates = vec![gate_id(2)];
    let mut gate = Gate::with(loaded);
    gate.connect();
    assert_eq!(
        gate.app.view(gate.now).place.unwrap().gate_id,
        gate_id(2).to_string()
    );
}

#[test]
fn a_damaged_pairing_leads_to_pairing_and_a_full_disk_is_said() {
    let mut gate = Gate::with(Loaded {
        damaged: vec![Stored::Pairing, Stored::Settings],
        ..Loaded::default()
    });
    let problem = Some(PairProblem::StoredDamaged);
    assert!(matches!(gate.screen(), Screen::Pair { problem: is, .. } if is == problem));
    let lost = |what| Notice::StoredLost { what };
    assert_eq!(
        gate.notices(),
        [lost(Stored::Pairing), lost(Stored::Settings)]
    );
    gate.scan(&pairing_code());
    gate.answer(|call| matches!(call, Call::Pair(_)), new_pairing(false));
    assert!(gate.notices().contains(&Notice::NotStored));
}

const TYPED: [&str; 11] = [
    "Digit7", "KeyO", "KeyI", "KeyL", "Minus", "KeyU", "Digit9", "KeyQ", "KeyX", "Digit2", "KeyZ",
];

#[test]
fn a_short_code_is_typed_forgivingly_and_enter_sends_it() {
    let mut gate = Gate::open();
    gate.type_keys(&TYPED);
    let Screen::Ready {
        typed: Some(typed), ..
    } = gate.screen()
    else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!((typed.text.as_str(), typed.length), ("70119QX2Z", 10));
    gate.type_keys(&["Enter"]);
    gate.store(true);
    assert_eq!(gate.asked(), None, "one character is missing");
    gate.type_keys(&["KeyB", "Backspace", "KeyT", "Enter"]);
    gate.store(true);
    assert_eq!(gate.asked().unwrap().token, "70119QX2ZT");
    gate.verdict(Verdict::Admit);
    // Enter presses no button and dismisses nothing.
    gate.type_keys(&["Enter"]);
    assert!(matches!(gate.screen(), Screen::Verdict(_)));
}

#[test]
fn five_wrong_codes_stop_typing_for_a_minute_and_scanning_goes_on() {
    let mut gate = Gate::open();
    for last in ["Digit1", "Digit2", "Digit3", "Digit4", "Digit5"] {
        let mut keys = vec!["Digit7"; 9];
        keys.extend([last, "Enter"]);
        gate.type_keys(&keys);
        gate.store(true);
        gate.verdict(Verdict::Unreadable);
        gate.pass(2_500);
    }
    gate.command(Command::Dismiss);
    gate.type_keys(&["Digit7"]);
    let Screen::Ready {
        typed: Some(typed), ..
    } = gate.screen()
    else {
        panic!("{:?}", gate.screen())
    };
    assert!(typed.text.is_empty() && typed.locked_ms.is_some());
    gate.scan("A");
    gate.verdict(Verdict::Admit);
    gate.pass(60_000);
    gate.type_keys(&["Digit7"]);
    assert!(matches!(gate.screen(), Screen::Ready { typed: Some(typed), .. } if typed.text == "7"));
}

#[test]
fn a_half_code_is_said_and_gets_no_verdict() {
    let mut gate = Gate::open();
    let bytes = SerialBytes(b"EV1:6BF\r".to_vec());
    gate.send(Input::SerialBytes { bytes, at_ms: 5 });
    gate.store(true);
    assert_eq!(
        (gate.asked(), gate.notices()),
        (None, vec![Notice::HalfCode])
    );
    gate.scan("A");
    assert_eq!(gate.notices(), [], "scanned again");
}

#[test]
fn a_drill_asks_no_node_sounds_like_no_verdict_and_counts_what_was_right() {
    let mut gate = Gate::open();
    gate.command(Command::StartDrill);
    gate.scan("EV1:A REAL TICKET");
    assert_eq!(
        (gate.asked(), gate.notices()),
        (None, vec![Notice::OtherCode])
    );
    gate.writes.clear();
    let answers = [
        ("ADMIT", Act::LetIn),
        ("UNCONFIRMED", Act::Call),
        ("FORGED", Act::LetIn),
    ];
    for (case, act) in answers {
        gate.command(Command::CameraRead {
            text: format!("{}{case}", drill::PREFIX).into(),
        });
        assert!(gate.shown().drill);
        gate.pass(10_000);
        assert!(
            matches!(gate.screen(), Screen::Verdict(_)),
            "it waits for an answer"
        );
        gate.command(Command::AnswerDrill { act });
    }
    let score = gate.app.view(gate.now).drill.unwrap();
    assert_eq!((score.right, score.of, score.asks), (2, 3, false));
    assert_eq!(gate.sounds, [Rhythm::Drill; 3]);
    assert_eq!(gate.writes.len(), 3);
    assert!(
        gate.writes
            .iter()
            .all(|(_, write)| matches!(write, Write::DrillRow(_)))
    );
    assert_eq!(gate.asked(), None);
    gate.type_keys(&["Space"]);
    let first = gate.shown().why;
    gate.type_keys(&["Digit1", "Space"]);
    assert_ne!(gate.shown().why, first, "never the same twice");
    gate.command(Command::EndDrill);
    assert!(gate.app.view(gate.now).drill.is_none());
    assert!(
        matches!(gate.screen(), Screen::Ready { last: None, .. }),
        "no trace in the last ten"
    );
    gate.scan("EVD1:ADMIT");
    assert_eq!(
        gate.asked(),
        None,
        "and no drill code is asked outside of it"
    );
}

#[test]
fn every_case_of_the_drill_is_shown_as_what_it_is() {
    for (case, _) in drill::CASES {
        let mut gate = Gate::open();
        gate.command(Command::StartDrill);
        gate.scan(&format!("{}{case}", drill::PREFIX));
        let why = gate.shown().why;
        assert_eq!(
            why == Why::Unreadable,
            case == "UNREADABLE",
            "{case}: {why:?}"
        );
    }
}

#[test]
fn settings_go_to_another_scanner_as_one_code_and_damaged_codes_are_said() {
    let mut gate = Gate::open();
    gate.command(Command::ShowSettings);
    let Screen::Settings { export, .. } = gate.screen() else {
        panic!("{:?}", gate.screen())
    };
    let mut other = Gate::open();
    let loud = Settings {
        volume: 5,
        ..Settings::in_language("fr")
    };
    other.command(Command::Change { settings: loud });
    other.scan(&export);
    assert_eq!(
        other.notices(),
        [Notice::OtherCode],
        "not while tickets are scanned"
    );
    other.command(Command::ShowSettings);
    other.scan(&export[..export.len() - 2]);
    let damaged = Some(ImportProblem::Damaged);
    assert!(matches!(other.screen(), Screen::Settings { problem, .. } if problem == damaged));
    other.scan(&export);
    assert!(matches!(
        other.screen(),
        Screen::Settings { problem: None, .. }
    ));
    assert_eq!(
        other.app.view(other.now).settings,
        Settings::in_language("en")
    );
}

#[test]
fn nobody_leaves_the_kiosk_without_the_pin_and_trying_has_its_limit() {
    let hash = PinHash::new(&Pin::read("2580".to_owned(), &(4..=12)).unwrap(), [1; 16]);
    let stored = StoredPin { hash, wrong: 3 };
    let mut gate = Gate::with(Loaded {
        pin: Some(stored),
        ..Gate::paired(vec![])
    });
    gate.connect();
    gate.command(Command::Leave);
    let wrong = ["Digit1", "Digit2", "Digit3", "Digit4", "Enter"];
    for _ in 0..2 {
        gate.type_keys(&wrong);
        assert!(matches!(gate.others.pop(), Some(Output::CheckPin { .. })));
        gate.send(Input::PinChecked(false));
    }
    let leave = PinFor::Leave;
    let Screen::Pin {
        wanted_for,
        digits: 0,
        wrong: true,
        locked_ms: Some(_),
    } = gate.screen()
    else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!(wanted_for, leave);
    gate.type_keys(&wrong);
    assert!(gate.others.is_empty(), "locked, also after a restart");
    gate.pass(60_000);
    gate.type_keys(&["Digit2", "Digit5", "Digit8", "Numpad0", "Enter"]);
    let Some(Output::CheckPin { pin, hash }) = gate.others.pop() else {
        panic!("{:?}", gate.others)
    };
    gate.send(Input::PinChecked(hash.is_of(&pin)));
    assert!(matches!(gate.others.pop(), Some(Output::LeaveFullScreen)));
    assert!(matches!(gate.writes.last(), Some((_, Write::Pin(pin))) if pin.wrong == 0));
}

#[test]
fn mute_is_heard_by_nobody_and_seen_on_every_screen() {
    let mut gate = Gate::open();
    gate.type_keys(&["F9"]);
    assert!(gate.app.view(gate.now).settings.muted);
    gate.scan("A");
    gate.verdict(Verdict::Admit);
    assert_eq!(gate.sounds, []);
    assert!(
        matches!(gate.others[..], [Output::Vibrate(&[80])]),
        "felt all the same"
    );
}

#[test]
fn a_device_that_is_pulled_out_is_named_until_it_is_back() {
    let device = Device {
        id: "/dev/ttyACM0".to_owned(),
        kind: crate::view::DeviceKind::Serial,
        in_use: true,
    };
    let mut gate = Gate::open();
    let (id, mut unused) = (device.id.clone(), device.clone());
    let gone = Notice::DeviceGone { device: id };
    unused.in_use = false;
    for without in [vec![], vec![unused]] {
        gate.send(Input::Devices(vec![device.clone()]));
        assert_eq!(gate.notices(), []);
        gate.send(Input::Devices(without));
        assert_eq!(gate.notices(), std::slice::from_ref(&gone));
    }
    gate.send(Input::Devices(vec![device]));
    assert_eq!(gate.notices(), []);
}
