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
            code: digit.to_owned().into(),
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

#[test]
fn settings_open_and_close_by_their_key_and_a_drill_ends_by_its_own() {
    let mut gate = Gate::open();
    gate.type_keys(&["F10"]);
    assert!(matches!(gate.screen(), Screen::Settings { .. }));
    gate.type_keys(&["F10"]);
    assert!(matches!(gate.screen(), Screen::Ready { .. }));
    gate.type_keys(&["F12"]);
    assert!(gate.app.view(gate.now).drill.is_none(), "there was none");
    gate.command(Command::StartDrill);
    assert!(gate.app.view(gate.now).drill.is_some());
    gate.type_keys(&["F12"]);
    assert!(gate.app.view(gate.now).drill.is_none());
}

#[test]
fn keys_of_the_window_and_of_its_page_are_no_code_together() {
    let mut gate = Gate::open();
    let stroke = |code: &str, at_ms| KeyStroke {
        code: code.to_owned(),
        shift: true,
        caps_lock: false,
        repeat: false,
        at_ms,
    };
    // Each on a clock of its own, which here say the same by chance.
    let page = vec![stroke("KeyE", 1_000), stroke("KeyV", 1_002)];
    gate.command(Command::Keys { strokes: page });
    let window = ["Digit1", "KeyA", "KeyB", "KeyC", "Enter"].map(|code| stroke(code, 1_004));
    gate.send(Input::WindowKeys(window.to_vec()));
    gate.store(true);
    assert_eq!(
        gate.asked().map(|asked| asked.token),
        Some("!ABC".to_owned())
    );
}
