//! Who holds the scanner, what they do beside scanning, and whom they find.

use eventify_scanner_controller::{
    command::{KeyStroke, SecretText},
    view::{ActKind, ActProblem, Reason, SearchBy, SearchProblem, Why},
};

use super::*;

const STEWARD: &str = "Sam Steward";
const SUPERVISOR: &str = "Sacha Supervisor";

impl Scanner {
    async fn choose_person(&mut self, name: &str) {
        let listed = |view: &View| {
            let Screen::People { people, .. } = &view.screen else {
                return None;
            };
            let mut people = people.iter();
            let person = people.find(|person| person.name == name)?;
            Some(person.person_id.clone())
        };
        let view = self.until(|view| listed(view).is_some()).await;
        let person_id = listed(&view).unwrap();
        self.command(Command::ChoosePerson { person_id }).await;
    }

    /// As fast as people type: keys that come faster are an imager's.
    async fn type_pin(&mut self, digits: &str) {
        for (at_ms, digit) in (self.typed_ms..).step_by(250).zip(digits.chars()) {
            let stroke = KeyStroke {
                code: format!("Digit{digit}"),
                shift: false,
                caps_lock: false,
                repeat: false,
                at_ms,
            };
            let strokes = vec![stroke];
            self.command(Command::Keys { strokes }).await;
        }
        self.typed_ms += 10_000;
    }

    async fn sign_in(&mut self, name: &str, pin: &str) {
        self.choose_person(name).await;
        self.until(|view| matches!(view.screen, Screen::PersonPin { .. }))
            .await;
        self.type_pin(pin).await;
        let is_on = |view: &View| {
            view.person
                .as_ref()
                .is_some_and(|person| person.name == name)
        };
        self.until(is_on).await;
    }

    async fn act(&mut self, act: ActKind, reason: Reason) {
        self.command(Command::StartAct { act }).await;
        self.until(|view| matches!(view.screen, Screen::Reason { .. }))
            .await;
        self.command(Command::GiveReason { reason, note: None })
            .await;
    }
}

#[tokio::test]
async fn a_shift_that_is_needed_begins_with_a_pin_and_outlives_the_app() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    node.command("shift needed").unwrap();
    let mut scanner = Scanner::at_work_or_sign_in(folder.path(), &node).await;
    scanner.sign_in(STEWARD, "135790").await;
    scanner.scan("MOCK:ADMIT 1").await;
    scanner.until_shown("admit").await;
    scanner.app.stop().await;
    let mut scanner = Scanner::switch_on(folder.path());
    let is_on = |view: &View| {
        view.person
            .as_ref()
            .is_some_and(|person| person.name == STEWARD)
    };
    scanner.until(is_on).await;
    // The node forgets it: the scan waits for the next person, and is decided once.
    node.command("shift end").unwrap();
    scanner.scan("MOCK:ADMIT 2").await;
    scanner
        .until(|view| {
            matches!(
                view.screen,
                Screen::People {
                    needed: true,
                    waiting: 1,
                    ..
                }
            )
        })
        .await;
    scanner.sign_in(SUPERVISOR, "246802").await;
    scanner.until_shown("admit").await;
    assert_eq!(node.decided(), 2);
}

#[tokio::test]
async fn the_first_time_a_telephone_and_a_new_pin_begin_the_shift() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    node.command("shift needed").unwrap();
    let mut scanner = Scanner::at_work_or_sign_in(folder.path(), &node).await;
    scanner.choose_person("Nour New").await;
    let shows = |view: &View| matches!(&view.screen, Screen::SignIn { code: Some(_), .. });
    scanner.until(shows).await;
    node.command("sign-in grant").unwrap();
    scanner
        .until(|view| matches!(view.screen, Screen::NewPin { again: false, .. }))
        .await;
    scanner.type_pin("482915").await;
    scanner
        .until(|view| matches!(view.screen, Screen::NewPin { again: true, .. }))
        .await;
    scanner.type_pin("482915").await;
    let is_on = |view: &View| {
        view.person
            .as_ref()
            .is_some_and(|person| person.name == "Nour New")
    };
    scanner.until(is_on).await;
}

#[tokio::test]
async fn an_override_whose_answer_was_lost_in_a_crash_is_done_once() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    node.command("shift needed").unwrap();
    let mut scanner = Scanner::at_work_or_sign_in(folder.path(), &node).await;
    scanner.sign_in(SUPERVISOR, "246802").await;
    scanner.scan("MOCK:UNCONFIRMED").await;
    scanner.until_shown("alreadyUsed").await;
    node.command("lose 1").unwrap();
    scanner.act(ActKind::Override, Reason::NotInside).await;
    let asks = |view: &View| matches!(view.screen, Screen::Checking { act: Some(_), .. });
    scanner.until(asks).await;
    scanner.app.kill();
    let mut scanner = Scanner::switch_on(folder.path());
    let shown = scanner.until_shown("overridden").await;
    assert!(matches!(
        shown.why,
        Why::Overridden {
            reason: Reason::NotInside,
            ..
        }
    ));
    assert_eq!(node.acts_done(), 1);
    // It was answered: nothing is left to be asked.
    scanner.app.stop().await;
    let mut scanner = Scanner::switch_on(folder.path());
    let rests = |view: &View| {
        matches!(view.screen, Screen::Ready { last: None, .. }) && view.person.is_some()
    };
    scanner.until(rests).await;
}

#[tokio::test]
async fn a_guest_goes_in_is_taken_back_goes_in_again_and_leaves() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    node.command("shift needed").unwrap();
    let mut scanner = Scanner::at_work_or_sign_in(folder.path(), &node).await;
    scanner.sign_in(SUPERVISOR, "246802").await;
    scanner.scan("MOCK:ADMIT 1").await;
    scanner.until_shown("admit").await;
    scanner.act(ActKind::Undo, Reason::StaysOutside).await;
    scanner.until_shown("takenBack").await;
    scanner.scan("MOCK:ADMIT 1").await;
    scanner.until_shown("admit").await;
    scanner.command(Command::ToggleExits).await;
    scanner.until(|view| view.exits).await;
    scanner.scan("MOCK:ADMIT 1").await;
    scanner.until_shown("left").await;
    scanner.scan("MOCK:ADMIT 2").await;
    let shown = scanner.until_shown("notDone").await;
    let problem = ActProblem::NotInside;
    assert!(matches!(shown.why, Why::NotDone { problem: is, .. } if is == problem));
}

#[tokio::test]
async fn a_steward_needs_a_supervisors_pin_to_find_a_guest_and_the_venue_may_have_it_off() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    node.command("shift needed").unwrap();
    let mut scanner = Scanner::at_work_or_sign_in(folder.path(), &node).await;
    scanner.sign_in(STEWARD, "135790").await;
    scanner.command(Command::ShowSearch).await;
    scanner.choose_person(SUPERVISOR).await;
    scanner.type_pin("246802").await;
    scanner
        .until(|view| matches!(view.screen, Screen::Search { .. }))
        .await;
    let search = || Command::Search {
        by: SearchBy::Name,
        text: SecretText("berg".to_owned()),
    };
    scanner.command(search()).await;
    let found = |view: &View| matches!(&view.screen, Screen::Search { result: Some(result), .. } if result.guests.len() == 3);
    scanner.until(found).await;
    node.command("search off").unwrap();
    scanner.command(search()).await;
    let is_off = |view: &View| matches!(&view.screen, Screen::Search { problem: Some(problem), .. } if *problem == SearchProblem::Off);
    scanner.until(is_off).await;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("Berg") && !text.contains("berg"), "{text}");
    }
}

#[tokio::test]
async fn the_venues_numbers_come_from_the_node() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    let mut scanner = Scanner::at_work(folder.path(), &node).await;
    scanner.command(Command::ShowCounts).await;
    let is_slow = |view: &View| {
        let Screen::VenueCounts { numbers, .. } = &view.screen else {
            return false;
        };
        let gates = numbers.iter().flat_map(|numbers| &numbers.gates);
        gates.filter(|gate| gate.slow).count() == 1
    };
    scanner.until(is_slow).await;
}
