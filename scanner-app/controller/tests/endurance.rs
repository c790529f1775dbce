//! A weekend of one gate, in a process of its own: what is measured is the memory of the process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use eventify_scanner_controller::{
    command::Command,
    driver::{App, Clock, Config},
    io::Input,
    view::Screen,
};
use eventify_scanner_mock_node::MockNode;
use tokio::time::timeout;

const WARM: u32 = 2_000;
const SCANS: u32 = 20_000;
const MAX_GROWTH_KIB: u64 = 5 * 1_024;
const SOON: Duration = Duration::from_secs(30);
/// Between two guests: no verdict is gone sooner.
const GUEST: Duration = Duration::from_millis(3_100);

/// Memory in RAM: of the app, of the mock node, and of both ends of their connection.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().trim().trim_end_matches("kB").trim();
    number.parse().unwrap()
}

#[tokio::test]
async fn twenty_thousand_scans_take_no_more_memory_than_two_thousand() {
    let folder = tempfile::tempdir().unwrap();
    let node = MockNode::start("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let clock = Clock::default();
    let mut config = Config::in_folder(folder.path().to_owned(), "en");
    config.clock = clock.clone();
    config.timeouts.request = SOON;
    let app = App::start(&config).unwrap();
    let send = async |command| app.inputs().send(Input::Command(command)).await.unwrap();
    let mut views = app.view();
    let text = node.pairing_code().to_string();
    send(Command::CameraRead { text: text.into() }).await;
    let chooses = |screen: &Screen| matches!(screen, Screen::Choose { .. });
    let view = timeout(SOON, views.wait_for(|view| chooses(&view.screen))).await;
    let Screen::Choose { gates, .. } = view.unwrap().unwrap().screen.clone() else {
        unreachable!("waited for")
    };
    let gate_id = gates[0].gate_id.clone();
    send(Command::Choose {
        gate_id,
        performance_id: None,
    })
    .await;

    let mut warm = 0;
    let mut before = String::new();
    for number in 1..=SCANS {
        let text = format!("MOCK:ADMIT {number}");
        send(Command::CameraRead { text: text.into() }).await;
        let is_new =
            |screen: &Screen| matches!(screen, Screen::Verdict(shown) if shown.scan_id != before);
        let view = timeout(SOON, views.wait_for(|view| is_new(&view.screen))).await;
        let Screen::Verdict(shown) = view.unwrap().unwrap().screen.clone() else {
            unreachable!("waited for")
        };
        before = shown.scan_id;
        clock.advance(GUEST);
        if number == WARM {
            warm = resident_kib();
        }
    }
    let end = resident_kib();
    println!("after {WARM} scans {warm} KiB, after {SCANS} scans {end} KiB");
    assert_eq!(node.decided(), u64::from(SCANS));
    assert!(end <= warm + MAX_GROWTH_KIB, "{warm} KiB, then {end} KiB");
}
