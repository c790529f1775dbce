//! What a supervisor does at a scanner, and guests who leave.

use eventify_protocol::{
    ids::{ActId, PersonId},
    lan::{Act, ActAnswer, ActRequest, ReasonCode},
};

use super::{crew::*, *};
use crate::{
    io::KeptAct,
    view::{ActKind, ActProblem, Class, PersonFor, Reason, Why},
};

impl Gate {
    pub(super) fn act(&self) -> Option<ActRequest> {
        let call = self.people_call(|call| matches!(call, PeopleCall::Act(_)));
        let Some(PeopleCall::Act(request)) = call else {
            return None;
        };
        Some((**request).clone())
    }

    pub(super) fn act_result(&mut self, result: Result<ActAnswer, ClientError>) {
        self.answer_people(
            |call| matches!(call, PeopleCall::Act(_)),
            PeopleAnswer::Acted(result.map(Box::new)),
        );
    }

    pub(super) fn act_done(&mut self) {
        let request = self.act().expect("an act is asked");
        self.act_result(Ok(ActAnswer {
            act_id: request.act_id,
            person_id: PersonId(Uuid::from_u128(SUPERVISOR)),
            at: None,
            mode: Mode::Online,
            ticket: None,
            repeated: false,
            left_this_hour: Some(7),
        }));
    }

    fn start(&mut self, act: ActKind) {
        self.command(Command::StartAct { act });
    }

    pub(super) fn give(&mut self, reason: Reason, note: Option<&str>) {
        let note = note.map(str::to_owned);
        self.command(Command::GiveReason { reason, note });
        self.store(true);
    }

    fn scanned(&mut self, text: &str, verdict: Verdict) -> ScanId {
        self.scan(text);
        let id = self.asked().unwrap().scan_id;
        self.verdict(verdict);
        id
    }

    pub(super) fn not_done(&self) -> ActProblem {
        let Why::NotDone { problem, .. } = self.shown().why else {
            panic!("{:?}", self.shown())
        };
        problem
    }
}

#[test]
fn a_supervisor_on_shift_lets_in_with_a_reason_and_it_says_override() {
    let mut gate = held_by(supervisor());
    let scan = gate.scanned("A", used(false));
    gate.sounds.clear();
    gate.type_keys(&["F4"]);
    let Screen::Reason { act, reasons, .. } = gate.screen() else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!(act, ActKind::Override);
    assert_eq!(
        reasons,
        [Reason::NotInside, Reason::LeftWithoutScan, Reason::Other]
    );
    gate.give(Reason::NotInside, None);
    let asked = gate.act().unwrap();
    assert_eq!(asked.act, Act::Override { scan_id: scan });
    assert_eq!(asked.reason.unwrap().code, ReasonCode::NotInside);
    assert_eq!(asked.authorisation, None, "it is her own word");
    gate.act_done();
    let shown = gate.shown();
    assert_eq!(shown.class, Class::Go);
    let Why::Overridden {
        reason,
        person,
        left_this_hour,
        ..
    } = shown.why
    else {
        panic!("{shown:?}")
    };
    assert_eq!(reason, Reason::NotInside);
    assert_eq!(
        (person.as_deref(), left_this_hour),
        (Some("Sacha"), Some(7))
    );
    assert_eq!(gate.sounds, [Rhythm::Go]);
}

#[test]
fn at_a_stewards_scanner_a_colleagues_pin_is_good_for_two_minutes() {
    let mut gate = held_by(steward());
    gate.scanned("A", Verdict::NotYet { not_before: 0 });
    gate.command(Command::ShowSupervisor);
    let Screen::People {
        wanted_for, people, ..
    } = gate.screen()
    else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!(wanted_for, PersonFor::Supervisor);
    assert_eq!(people.len(), 1, "only those who may");
    gate.choose_person(SUPERVISOR);
    gate.type_pin("246802");
    gate.authorised(supervisor());
    let Screen::Reason { reasons, .. } = gate.screen() else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!(reasons, [Reason::EarlyEntry, Reason::Other]);
    gate.give(Reason::EarlyEntry, None);
    assert_eq!(gate.act().unwrap().authorisation.as_deref(), Some("word"));
    assert_eq!(gate.on_shift().as_deref(), Some("Sam"));
    gate.act_done();
    let left = |gate: &Gate| gate.app.view(gate.now).authorised.map(|word| word.left_ms);
    assert!(left(&gate).is_some_and(|left| left <= 120_000));
    gate.pass(120_000);
    assert_eq!(left(&gate), None);
    gate.scanned("B", used(true));
    gate.command(Command::ShowSupervisor);
    assert!(
        matches!(gate.screen(), Screen::People { .. }),
        "asked again"
    );
}

#[test]
fn another_reason_needs_its_note() {
    let mut gate = held_by(supervisor());
    gate.scanned("A", used(true));
    gate.start(ActKind::Override);
    gate.give(Reason::Other, Some("  "));
    assert_eq!(gate.act(), None);
    gate.give(Reason::StaysOutside, None);
    assert_eq!(gate.act(), None, "no reason for this");
    gate.give(Reason::Other, Some(&"x".repeat(121)));
    assert_eq!(gate.act(), None, "too long");
    gate.give(Reason::Other, Some(" Sent home for the card "));
    let reason = gate.act().unwrap().reason.unwrap();
    assert_eq!(reason.note.as_deref(), Some("Sent home for the card"));
}

#[test]
fn an_admission_can_be_taken_back_for_a_minute_and_only_the_newest() {
    let mut gate = held_by(supervisor());
    gate.scanned("A", Verdict::Admit);
    gate.pass(5_000);
    let second = gate.scanned("B", Verdict::Admit);
    gate.pass(10_000);
    gate.type_keys(&["F4"]);
    let Screen::Supervisor {
        undoable: Some(undoable),
        ..
    } = gate.screen()
    else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!(undoable.scan.shown.scan_id, second.to_string());
    assert!(undoable.left_ms < 50_000);
    gate.start(ActKind::Undo);
    gate.give(Reason::StaysOutside, None);
    assert_eq!(gate.act().unwrap().act, Act::Undo { scan_id: second });
    gate.act_done();
    assert!(matches!(gate.shown().why, Why::TakenBack { .. }));
    assert_eq!(gate.shown().class, Class::Done, "nobody goes in by it");
    gate.command(Command::ShowSupervisor);
    assert!(matches!(
        gate.screen(),
        Screen::Supervisor { undoable: None, .. }
    ));
    gate.command(Command::Dismiss);
    gate.scanned("C", Verdict::Admit);
    gate.pass(61_000);
    gate.command(Command::ShowSupervisor);
    assert!(matches!(
        gate.screen(),
        Screen::Supervisor { undoable: None, .. }
    ));
}

#[test]
fn the_act_is_on_the_disk_before_it_leaves_and_a_lost_answer_is_asked_again_as_the_same() {
    let mut gate = held_by(supervisor());
    gate.scanned("A", used(true));
    gate.start(ActKind::Override);
    gate.store(true);
    gate.command(Command::GiveReason {
        reason: Reason::NotInside,
        note: None,
    });
    assert_eq!(gate.act(), None);
    assert!(matches!(&gate.writes[..], [(_, Write::ActOpened(_))]));
    gate.store(true);
    let first = gate.act().unwrap();
    gate.act_result(Err(no_answer()));
    gate.pass(500);
    assert_eq!(gate.act().as_ref(), Some(&first));
    assert!(matches!(
        gate.screen(),
        Screen::Checking {
            act: Some(ActKind::Override),
            tries: 1,
            ..
        }
    ));
    gate.act_done();
    assert!(
        gate.writes
            .iter()
            .any(|(_, write)| *write == Write::ActClosed(first.act_id))
    );
}

#[test]
fn after_a_crash_the_act_goes_on_and_one_of_long_ago_does_not() {
    let act = |number: u128, age_ms: u64| KeptAct {
        act_id: ActId(Uuid::from_u128(number)),
        gate_id: gate_id(1),
        act: Act::Exit {
            token: "A".to_owned(),
        },
        reason: None,
        authorisation: None,
        pressed_at_ms: START_MS - age_ms,
    };
    let mut gate = Gate::with(Loaded {
        acts: vec![act(1, 600_000), act(2, 5_000)],
        ..Gate::paired(vec![])
    });
    assert!(
        matches!(&gate.writes[..], [(_, Write::ActClosed(id))] if *id == ActId(Uuid::from_u128(1)))
    );
    gate.connect();
    assert_eq!(gate.act().unwrap().act_id, ActId(Uuid::from_u128(2)));
    gate.act_done();
    assert_eq!(gate.shown().why, Why::Left);
}

#[test]
fn an_act_without_an_answer_is_asked_again_only_by_hand_after_a_minute() {
    let mut gate = held_by(supervisor());
    gate.scanned("A", used(true));
    gate.start(ActKind::Override);
    gate.give(Reason::NotInside, None);
    let first = gate.act().unwrap();
    for _ in 0..40 {
        if gate.act().is_some() {
            gate.act_result(Err(no_answer()));
        }
        gate.pass(2_000);
    }
    assert_eq!(gate.act(), None);
    assert_eq!(gate.not_done(), ActProblem::NoAnswer);
    gate.type_keys(&["F4"]);
    assert_eq!(
        gate.act(),
        Some(first),
        "it may have been done: the same act"
    );
    gate.act_done();
    assert!(matches!(gate.shown().why, Why::Overridden { .. }));
}

#[test]
fn a_refused_act_says_why_and_lets_nobody_in() {
    for (status, code, problem) in [
        (409, "too_late", ActProblem::TooLate),
        (409, "not_newest", ActProblem::NotLast),
        (429, "too_many_acts", ActProblem::LimitReached),
        (409, "node_locked", ActProblem::Locked),
        (403, "not_allowed", ActProblem::NotAllowed),
        (503, "core_unreachable", ActProblem::CoreUnreachable),
        (409, "already_done", ActProblem::AlreadyDone),
    ] {
        let mut gate = held_by(supervisor());
        gate.scanned("A", used(true));
        gate.start(ActKind::Override);
        gate.give(Reason::NotInside, None);
        gate.act_result(Err(refused(status, code, None)));
        assert_eq!(gate.not_done(), problem, "{code}");
        assert_eq!(gate.shown().class, Class::Hold);
        gate.command(Command::ShowSupervisor);
        assert!(
            matches!(gate.screen(), Screen::Reason { .. }),
            "it can be tried once more"
        );
    }
}

#[test]
fn at_a_locked_gate_nobody_is_asked_for_a_reason_that_lets_nobody_in() {
    let mut gate = held_by(supervisor());
    gate.scanned("A", used(true));
    gate.mode(Mode::Locked, None);
    gate.type_keys(&["F4"]);
    let Screen::Supervisor {
        overridable,
        locked,
        ..
    } = gate.screen()
    else {
        panic!("{:?}", gate.screen())
    };
    assert!(locked && overridable.is_none());
    for act in [ActKind::Override, ActKind::Undo] {
        gate.start(act);
        assert!(matches!(gate.screen(), Screen::Supervisor { .. }));
    }
    gate.mode(Mode::Online, None);
    gate.start(ActKind::Override);
    assert!(matches!(gate.screen(), Screen::Reason { .. }));
}
