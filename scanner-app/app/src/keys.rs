//! Keys that the window takes before its page.
//!
//! Where the screen takes codes every key is the controller's, and so are function keys everywhere: it hears of
//! them here, without the way through the page and back. On other screens people type into fields and press
//! buttons, which is the page's business (`ui/src/keys.ts`). A page that hangs or is loaded again misses no scan,
//! and WebKit, which keeps something of each key event for as long as a page lives, has none to keep.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use eventify_scanner_controller::{command::KeyStroke, io::Input, view::View};
use eventify_scanner_devices::key_names;
use gtk::{
    gdk::{EventKey, ModifierType},
    glib::Propagation,
    prelude::WidgetExt as _,
};
use tokio::sync::{mpsc, watch};

/// Keys that wait for the controller: some codes of an imager.
const MAX_WAITING: usize = 1_024;

/// Between a key's code in X and Wayland and its code in Linux.
const LINUX_OFFSET: u16 = 8;

/// Shortcuts are the page's, which stops all but those of text fields (`ui/src/kiosk.ts`).
const SHORTCUT: ModifierType = ModifierType::from_bits_truncate(
    ModifierType::CONTROL_MASK.bits()
        | ModifierType::MOD1_MASK.bits()
        | ModifierType::SUPER_MASK.bits()
        | ModifierType::META_MASK.bits(),
);

/// Both shift keys and caps lock, in Linux: nothing by themselves, but typed around each capital.
const SHIFTS: [u16; 3] = [42, 54, 58];

/// Takes the keys of a window for as long as it is there.
pub(crate) fn take(
    window: &gtk::ApplicationWindow,
    view: watch::Receiver<View>,
    inputs: mpsc::Sender<Input>,
) {
    let (strokes, waiting) = mpsc::channel(MAX_WAITING);
    tauri::async_runtime::spawn(pass_on(waiting, inputs));
    let keys = Rc::new(RefCell::new(Keys::default()));
    let held = Rc::clone(&keys);
    // Keys that go up elsewhere are not heard of.
    window.connect_focus_out_event(move |_, _| {
        held.borrow_mut().down.clear();
        Propagation::Proceed
    });
    let held = Rc::clone(&keys);
    window.connect_key_press_event(move |_, event| {
        let takes_codes = view.borrow().takes_codes;
        match held.borrow_mut().down(&Press::of(event), takes_codes) {
            Taken::No => return Propagation::Proceed,
            Taken::Silently => {}
            Taken::As(stroke) => {
                if strokes.try_send(stroke).is_err() {
                    tracing::error!(
                        code = "scanner.keys_lost",
                        "the controller takes no keys: one was lost"
                    );
                }
            }
        }
        Propagation::Stop
    });
    window.connect_key_release_event(move |_, event| {
        let is_taken = keys.borrow_mut().up(linux_code(event));
        if is_taken {
            Propagation::Stop
        } else {
            Propagation::Proceed
        }
    });
}

/// Until the app ends.
async fn pass_on(mut waiting: mpsc::Receiver<KeyStroke>, inputs: mpsc::Sender<Input>) {
    loop {
        let mut strokes = Vec::new();
        if waiting.recv_many(&mut strokes, MAX_WAITING).await == 0 {
            return;
        }
        if inputs.send(Input::WindowKeys(strokes)).await.is_err() {
            return;
        }
    }
}

fn linux_code(event: &EventKey) -> u16 {
    event.hardware_keycode().saturating_sub(LINUX_OFFSET)
}

/// A key goes down, or repeats.
#[derive(Clone, Copy, Debug)]
struct Press {
    /// Of Linux.
    code: u16,
    modifiers: ModifierType,
    at_ms: u32,
}

impl Press {
    fn of(event: &EventKey) -> Self {
        Self {
            code: linux_code(event),
            modifiers: event.state(),
            at_ms: event.time(),
        }
    }
}

/// What becomes of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Taken {
    /// It is the page's.
    No,
    /// Nobody hears of it.
    Silently,
    As(KeyStroke),
}

/// The keys that are down, and whether they were taken: a key goes up where it went down.
#[derive(Debug, Default)]
struct Keys {
    down: HashMap<u16, bool>,
}

impl Keys {
    fn down(&mut self, press: &Press, takes_codes: bool) -> Taken {
        let before = self.down.get(&press.code).copied();
        let taken = match before {
            // What began in the page ends there.
            Some(false) => Taken::No,
            Some(true) | None => Self::taken(press, takes_codes, before.is_some()),
        };
        self.down.insert(press.code, taken != Taken::No);
        taken
    }

    fn taken(press: &Press, takes_codes: bool, repeat: bool) -> Taken {
        if press.modifiers.intersects(SHORTCUT) {
            return Taken::No;
        }
        if SHIFTS.contains(&press.code) && takes_codes {
            return Taken::Silently;
        }
        match key_names::of_code(press.code) {
            Some(name) if takes_codes || is_function(name) => Taken::As(KeyStroke {
                code: name.to_owned(),
                shift: press.modifiers.contains(ModifierType::SHIFT_MASK),
                caps_lock: press.modifiers.contains(ModifierType::LOCK_MASK),
                repeat,
                at_ms: press.at_ms,
            }),
            Some(_) | None => Taken::No,
        }
    }

    /// Whether it was taken when it went down.
    fn up(&mut self, code: u16) -> bool {
        self.down.remove(&code).unwrap_or(false)
    }
}

/// Escape is one: back, wherever the person is.
fn is_function(name: &str) -> bool {
    name == "Escape" || (name.len() > 1 && name.starts_with('F'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const E: u16 = 18;
    const SPACE: u16 = 57;
    const F3: u16 = 61;
    const RIGHT: u16 = 106;

    fn press(code: u16, modifiers: ModifierType) -> Press {
        Press {
            code,
            modifiers,
            at_ms: 7,
        }
    }

    fn name(taken: Taken) -> String {
        match taken {
            Taken::No => "no".to_owned(),
            Taken::Silently => "silently".to_owned(),
            Taken::As(stroke) => stroke.code,
        }
    }

    #[test]
    fn where_the_screen_takes_codes_no_key_of_one_reaches_the_page() {
        let table = [
            (E, "KeyE"),
            (SPACE, "Space"),
            (15, "Tab"),
            (28, "Enter"),
            (F3, "F3"),
            (1, "Escape"),
            (42, "silently"),
            (54, "silently"),
            (58, "silently"),
            (RIGHT, "no"),
        ];
        for (code, wanted) in table {
            let mut keys = Keys::default();
            let taken = keys.down(&press(code, ModifierType::empty()), true);
            assert_eq!(name(taken), wanted, "{code}");
            assert_eq!(
                keys.up(code),
                wanted != "no",
                "{code} goes up where it went down"
            );
        }
    }

    #[test]
    fn elsewhere_only_function_keys_are_taken() {
        for (code, wanted) in [
            (E, "no"),
            (SPACE, "no"),
            (42, "no"),
            (33, "no"),
            (F3, "F3"),
            (1, "Escape"),
        ] {
            let taken = Keys::default().down(&press(code, ModifierType::empty()), false);
            assert_eq!(name(taken), wanted, "{code}");
        }
    }

    #[test]
    fn shortcuts_are_the_pages() {
        for modifier in [
            ModifierType::CONTROL_MASK,
            ModifierType::MOD1_MASK,
            ModifierType::SUPER_MASK,
            ModifierType::META_MASK,
        ] {
            let taken = Keys::default().down(&press(E, modifier | ModifierType::SHIFT_MASK), true);
            assert_eq!(taken, Taken::No, "{modifier:?}");
        }
    }

    #[test]
    fn a_key_carries_its_modifiers_and_whether_it_is_held() {
        let mut keys = Keys::default();
        let with = ModifierType::SHIFT_MASK | ModifierType::LOCK_MASK;
        let stroke = |repeat| {
            Taken::As(KeyStroke {
                code: "KeyE".to_owned(),
                shift: true,
                caps_lock: true,
                repeat,
                at_ms: 7,
            })
        };
        assert_eq!(keys.down(&press(E, with), true), stroke(false));
        assert_eq!(keys.down(&press(E, with), true), stroke(true));
        assert!(keys.up(E));
        assert_eq!(keys.down(&press(E, with), true), stroke(false));
    }

    #[test]
    fn a_key_that_went_down_in_the_page_goes_up_there_whatever_stands_on_the_glass_by_then() {
        let mut keys = Keys::default();
        let space = press(SPACE, ModifierType::empty());
        assert_eq!(keys.down(&space, false), Taken::No);
        assert_eq!(keys.down(&space, true), Taken::No, "held");
        assert!(!keys.up(SPACE));
        assert_eq!(name(keys.down(&space, true)), "Space");
        assert!(keys.up(SPACE));
        assert!(!keys.up(SPACE), "of a key that nobody saw go down");
    }
}
