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

#[test]
fn fingers_on_the_pad_are_no_imager_however_fast_they_are() {
    let mut gate = Gate::open();
    // All within one picture of a busy window.
    for digit in ["Digit7", "KeyK", "Digit3", "KeyQ", "KeyM"] {
        gate.command(Command::Tap {
            code: digit.to_owned(),
        });
    }
    gate.pass(400);
    let Screen::Ready {
        typed: Some(typed), ..
    } = gate.screen()
    else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!(typed.text, "7K3QM");
    assert_eq!(gate.asked(), None, "nothing was scanned");
}
