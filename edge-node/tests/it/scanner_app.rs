//! The scanner app without its window, at a real node that decides alone.

use std::time::Duration;

use eventify_scanner_controller::{
    command::Command,
    driver::{App, Clock, Config},
    io::Input,
    view::{Class, Decider, NodeMode, Screen, Shown, View, Why},
};
use tokio::time::timeout;

use crate::world::{SOON, World};

struct Hand {
    app: App,
    clock: Clock,
}

impl Hand {
    fn switch_on(folder: &std::path::Path) -> Self {
        let config = Config::in_folder(folder.to_owned(), "en");
        Self {
            app: App::start(&config).unwrap(),
            clock: config.clock,
        }
    }

    async fn scan(&self, text: &str) {
        let text = text.to_owned();
        self.send(Command::CameraRead { text: text.into() }).await;
    }

    async fn send(&self, command: Command) {
        let sent = self.app.inputs().send(Input::Command(command)).await;
        sent.unwrap();
    }

    async fn until(&self, wanted: impl Fn(&View) -> bool) -> View {
        let mut views = self.app.view();
        match timeout(SOON, views.wait_for(|view| wanted(view))).await {
            Ok(view) => view.unwrap().clone(),
            Err(_) => panic!("not in time: {:#?}", self.app.view().borrow()),
        }
    }

    /// The next verdict after that of `before`.
    async fn verdict(&self, before: &str) -> Shown {
        let is_new =
            |view: &View| matches!(&view.screen, Screen::Verdict(shown) if shown.scan_id != before);
        let Screen::Verdict(shown) = self.until(is_new).await.screen else {
            panic!("waited for")
        };
        shown
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scanner_app_pairs_admits_a_ticket_once_and_names_the_gate_of_the_first_entry() {
    let world = World::alone(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::switch_on(folder.path());
    let code = world.node().pairing_code(None).to_string();
    hand.scan(&code).await;
    let view = hand
        .until(|view| matches!(view.screen, Screen::Choose { .. }))
        .await;
    let Screen::Choose { gates, .. } = view.screen else {
        panic!("waited for")
    };
    let north = gates.iter().find(|gate| gate.name == "North").unwrap();
    hand.send(Command::Choose {
        gate_id: north.gate_id.clone(),
        performance_id: None,
    })
    .await;
    let is_alone = |view: &View| {
        let truth = view.truth.as_ref();
        truth.is_some_and(|truth| truth.mode == NodeMode::Degraded && truth.locks_in_ms.is_some())
    };
    hand.until(is_alone).await;

    let token = &world.tickets[0].token;
    hand.scan(token).await;
    let first = hand.verdict("").await;
    assert_eq!((first.class, &first.why), (Class::Go, &Why::Admit));
    assert_eq!(first.decided_by, Some(Decider::Node));
    let title = first.ticket.unwrap().title;
    assert_eq!(title.as_deref(), Some("Opening night"));
    hand.until(|view| {
        view.counts
            .as_ref()
            .is_some_and(|counts| counts.admitted == 1)
    })
    .await;

    // Three seconds later it is another guest's scan.
    hand.clock.advance(Duration::from_secs(3));
    hand.scan(token).await;
    let second = hand.verdict(&first.scan_id).await;
    let Why::AlreadyUsed { gate, .. } = second.why else {
        panic!("{second:?}")
    };
    assert_eq!(gate.as_deref(), Some("North"));

    hand.clock.advance(Duration::from_secs(3));
    hand.scan("EV1:NOBODY SIGNED THIS").await;
    let third = hand.verdict(&second.scan_id).await;
    assert_eq!(third.why, Why::Unreadable);

    // Switched off and on, it is at its gate again without a code.
    hand.app.stop().await;
    let hand = Hand::switch_on(folder.path());
    let view = hand
        .until(|view| matches!(view.screen, Screen::Ready { .. }))
        .await;
    assert_eq!(view.place.unwrap().gate, "North");
}
