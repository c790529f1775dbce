use super::*;

#[test]
fn a_key_is_typed_also_if_the_node_speaks_just_when_it_would_have_been() {
    let mut gate = Gate::open();
    let strokes = vec![KeyStroke {
        code: "Digit7".to_owned(),
        shift: false,
        caps_lock: false,
        repeat: false,
        at_ms: 1_000,
    }];
    gate.command(Command::Keys { strokes });
    gate.now.boot = gate.now.boot.plus(Duration::from_millis(200));
    gate.mode(Mode::Online, None);
    gate.pass(1);
    assert!(matches!(
        gate.screen(),
        Screen::Ready { typed: Some(_), .. }
    ));
}
