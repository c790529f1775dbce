//! Guests who leave, and scanners that move to another gate.

use eventify_protocol::lan::Act;

use super::{crew::*, *};
use crate::view::{ActKind, ActProblem, Reason, Why};

#[test]
fn scans_are_exits_only_when_said_so_and_the_same_code_leaves_once() {
    let mut gate = held_by(steward());
    gate.command(Command::ToggleExits);
    assert!(gate.app.view(gate.now).exits);
    gate.sounds.clear();
    gate.scan("A");
    gate.store(true);
    assert_eq!(gate.asked(), None);
    assert_eq!(
        gate.act().unwrap().act,
        Act::Exit {
            token: "A".to_owned()
        }
    );
    gate.scan("A");
    gate.act_done();
    assert_eq!(gate.shown().why, Why::Left);
    assert_eq!(gate.sounds, [Rhythm::Click, Rhythm::Exit]);
    assert_eq!(gate.act(), None);
    gate.scan("B");
    gate.store(true);
    gate.act_result(Err(refused(409, "no_reentry", None)));
    assert_eq!(gate.not_done(), ActProblem::NoReentry);
    gate.command(Command::ToggleExits);
    gate.scan("C");
    assert!(gate.asked().is_some(), "an entry again");
}

#[test]
fn exits_need_the_core_and_somebody_on_shift() {
    let mut gate = held_by(steward());
    gate.mode(Mode::Degraded, Some(Duration::from_secs(200)));
    gate.command(Command::ToggleExits);
    assert!(!gate.app.view(gate.now).exits);
    assert_eq!(gate.notices(), [Notice::NeedsCore]);
    let mut gate = staffed(false, true);
    gate.mode(Mode::Online, None);
    gate.command(Command::ToggleExits);
    assert!(!gate.app.view(gate.now).exits);
    assert!(matches!(gate.screen(), Screen::People { .. }));
}

#[test]
fn whoever_is_on_shift_changes_the_gate_with_a_supervisor_and_is_there_when_the_node_knows() {
    let mut gate = held_by(steward());
    gate.type_keys(&["F8"]);
    gate.choose_person(SUPERVISOR);
    gate.type_pin("246802");
    gate.authorised(supervisor());
    assert!(matches!(gate.screen(), Screen::Choose { .. }));
    gate.command(Command::Choose {
        gate_id: gate_id(2).to_string(),
        performance_id: None,
    });
    let Screen::Reason {
        act: ActKind::ChangeGate,
        gate: Some(name),
        ..
    } = gate.screen()
    else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!(name, "Gate 2");
    gate.give(Reason::MoreHands, None);
    let place = |gate: &Gate| gate.app.view(gate.now).place.unwrap().gate;
    assert_eq!(gate.act().unwrap().gate_id, gate_id(2));
    assert_eq!(place(&gate), "Gate 1");
    gate.act_done();
    assert_eq!(place(&gate), "Gate 2");
}
