use std::os::unix::fs::PermissionsExt as _;

use eventify_scanner_controller::{
    tones::Rhythm,
    view::{NodeMode, Notice, PairAgainReason},
};

use super::*;

#[tokio::test]
async fn each_text_gets_its_verdict_with_its_sound() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    let mut scanner = Scanner::at_work(folder.path(), &node).await;
    for (text, word, rhythm) in [
        ("MOCK:ADMIT 1", "admit", Rhythm::Go),
        ("MOCK:USED", "alreadyUsed", Rhythm::Used),
        ("MOCK:REVOKED", "revoked", Rhythm::Stop),
        ("MOCK:NOT-HERE", "notValidHere", Rhythm::Stop),
        ("MOCK:NOT-YET", "notYet", Rhythm::Stop),
        ("MOCK:EXPIRED", "expired", Rhythm::Stop),
        ("MOCK:FORGED", "forged", Rhythm::Stop),
        ("MOCK:UNKNOWN", "unknownOffline", Rhythm::Hold),
        ("MOCK:FAULT", "nodeFault", Rhythm::Hold),
    ] {
        scanner.scan(text).await;
        scanner.until_shown(word).await;
        let mut heard = Vec::new();
        while heard.len() < 2 {
            if let Effect::Play { rhythm, .. } = scanner.effect().await {
                heard.push(rhythm);
            }
        }
        assert_eq!(heard, [Rhythm::Click, rhythm], "{text}");
    }
    let counted = |view: &View| {
        view.counts
            .as_ref()
            .is_some_and(|counts| counts.admitted == 1)
    };
    scanner.until(counted).await;
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_again_and_the_guest_goes_in_once() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    let mut scanner = Scanner::at_work(folder.path(), &node).await;
    node.command("lose 2").unwrap();
    scanner.scan("MOCK:ADMIT 1").await;
    scanner
        .until(|view| matches!(view.screen, Screen::Checking { tries: 2, .. }))
        .await;
    let shown = scanner.until_shown("admit").await;
    assert!(shown.repeated, "the node had decided it before");
    assert_eq!(node.decided(), 1);
}

#[tokio::test]
async fn a_scan_under_way_outlives_a_crash() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    let mut scanner = Scanner::at_work(folder.path(), &node).await;
    node.command("lose 1").unwrap();
    scanner.scan("MOCK:ADMIT 1").await;
    scanner
        .until(|view| matches!(view.screen, Screen::Checking { .. }))
        .await;
    scanner.app.kill();
    let mut scanner = Scanner::switch_on(folder.path());
    let shown = scanner.until_shown("admit").await;
    assert!(shown.repeated && node.decided() == 1);
    // A final verdict was shown: nothing is left to be asked.
    scanner.app.stop().await;
    let mut scanner = Scanner::switch_on(folder.path());
    scanner
        .until(|view| matches!(view.screen, Screen::Ready { last: None, .. }))
        .await;
}

#[tokio::test]
async fn a_stop_takes_what_was_sent_writes_it_and_waits_for_no_other_sender() {
    let folder = tempfile::tempdir().unwrap();
    let scanner = Scanner::switch_on(folder.path());
    let inputs = scanner.app.inputs();
    let was_muted = scanner.app.view().borrow().settings.muted;
    for _ in 0..101 {
        scanner.command(Command::ToggleMute).await;
    }
    scanner.app.stop().await;
    assert!(inputs.is_closed(), "who sends is told that nobody hears it");
    let scanner = Scanner::switch_on(folder.path());
    assert_ne!(scanner.app.view().borrow().settings.muted, was_muted);
}

#[tokio::test]
async fn a_cut_line_is_said_and_comes_back_by_itself() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    let mut scanner = Scanner::at_work(folder.path(), &node).await;
    node.command("cut").unwrap();
    scanner
        .until(|view| matches!(view.screen, Screen::NodeUnreachable { .. }))
        .await;
    scanner.scan("MOCK:ADMIT 1").await;
    let waits = |view: &View| matches!(view.screen, Screen::NodeUnreachable { waiting: 1, .. });
    scanner.until(waits).await;
    node.command("heal").unwrap();
    scanner.until_shown("admit").await;
    // A node that was restarted knows no access token: the scanner gets another one by its key.
    node.command("restart").unwrap();
    scanner.scan("MOCK:USED").await;
    scanner.until_shown("alreadyUsed").await;
}

#[tokio::test]
async fn the_nodes_mode_is_on_the_screen_down_to_the_lock() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    let mut scanner = Scanner::at_work(folder.path(), &node).await;
    node.command("mode degraded 29").unwrap();
    let counts_down = |view: &View| {
        let truth = view.truth.as_ref();
        truth.is_some_and(|truth| truth.mode == NodeMode::Degraded && truth.locks_in_ms.is_some())
    };
    let view = scanner.until(counts_down).await;
    assert!(matches!(view.notices[..], [Notice::LocksSoon { .. }]));
    node.command("mode locked").unwrap();
    scanner
        .until(|view| matches!(view.screen, Screen::Locked { .. }))
        .await;
    assert!(matches!(
        scanner.effect().await,
        Effect::Play {
            rhythm: Rhythm::Siren,
            ..
        }
    ));
    node.command("mode online").unwrap();
    scanner
        .until(|view| matches!(view.screen, Screen::Ready { .. }))
        .await;
}

#[tokio::test]
async fn a_scanner_that_was_removed_is_out_and_pairs_again_with_a_new_code() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    let mut scanner = Scanner::at_work(folder.path(), &node).await;
    let mode = std::fs::metadata(folder.path().join("pairing.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    node.command("unpair").unwrap();
    let reason = PairAgainReason::Unpaired;
    scanner
        .until(|view| view.screen == Screen::PairAgain { reason })
        .await;
    scanner.scan(&node.pairing_code().to_string()).await;
    scanner
        .until(|view| matches!(view.screen, Screen::Ready { .. }))
        .await;
    scanner.scan("MOCK:ADMIT 1").await;
    scanner.until_shown("admit").await;
}

#[tokio::test]
async fn another_machine_at_the_nodes_address_is_told_nothing() {
    let (folder, first) = (tempfile::tempdir().unwrap(), node().await);
    let scanner = Scanner::at_work(folder.path(), &first).await;
    let address = first.address();
    scanner.app.stop().await;
    drop(first);
    let impostor = loop {
        // The port is free when the last connection to it has ended.
        if let Ok(node) = MockNode::start(address).await {
            break node;
        }
        tokio::task::yield_now().await;
    };
    let mut scanner = Scanner::switch_on(folder.path());
    let reason = PairAgainReason::OtherNode;
    scanner
        .until(|view| view.screen == Screen::PairAgain { reason })
        .await;
    assert_eq!(impostor.decided(), 0);
}

#[tokio::test]
async fn the_pin_is_hashed_checked_and_outlives_a_restart() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node().await);
    let scanner = Scanner::at_work(folder.path(), &node).await;
    let digits = "2580".to_owned();
    scanner
        .command(Command::SetPin {
            digits: digits.into(),
        })
        .await;
    scanner.command(Command::ShowSettings).await;
    let mut scanner = scanner;
    let is_set = |view: &View| matches!(view.screen, Screen::Settings { has_pin: true, .. });
    scanner.until(is_set).await;
    scanner.app.stop().await;
    let mut scanner = Scanner::switch_on(folder.path());
    scanner.command(Command::Leave).await;
    scanner
        .until(|view| matches!(view.screen, Screen::Pin { .. }))
        .await;
    let codes = ["Digit2", "Digit5", "Digit8", "Digit0", "Enter"];
    for (at_ms, code) in (0..).step_by(250).zip(codes) {
        let stroke = eventify_scanner_controller::command::KeyStroke {
            code: code.to_owned(),
            shift: false,
            caps_lock: false,
            repeat: false,
            at_ms,
        };
        scanner
            .command(Command::Keys {
                strokes: vec![stroke],
            })
            .await;
    }
    assert_eq!(scanner.effect().await, Effect::LeaveFullScreen);
}
