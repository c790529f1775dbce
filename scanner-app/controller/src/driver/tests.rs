//! What the disk holds after everything that can happen to it.

use std::os::unix::fs::PermissionsExt as _;

use eventify_disk::{
    files::{OWNER_ONLY_FILE, OWNER_ONLY_FOLDER},
    pin::{Pin, PinHash},
};
use eventify_protocol::{
    ids::{ActId, GateId, ScanId},
    lan::Act,
};
use uuid::Uuid;

use super::*;
use crate::{
    io::StoredPlace,
    view::{self, Settings},
};

fn kept(number: u128) -> crate::io::KeptScan {
    crate::io::KeptScan {
        scan_id: ScanId(Uuid::from_u128(number)),
        gate_id: GateId(Uuid::from_u128(1)),
        token: format!("EV1:{number}"),
        triggered_at_ms: 5,
    }
}

fn open(folder: &Path) -> (Files, Found) {
    let (done, _) = unbounded_channel();
    Files::open(folder, done).unwrap()
}

async fn write(folder: &Path, writes: Vec<Write>) {
    let (mut files, _) = open(folder);
    for write in writes {
        files.write(WriteId(1), write);
    }
    files.close().await;
}

#[tokio::test]
async fn what_was_written_is_read_and_only_its_user_may() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("scanner");
    let place = StoredPlace {
        gate_id: GateId(Uuid::from_u128(1)),
        performance_id: None,
    };
    let pin = crate::io::StoredPin {
        hash: PinHash::new(&Pin::read("2580".to_owned(), &(4..=12)).unwrap(), [1; 16]),
        wrong: 2,
    };
    let settings = Settings::in_language("fr");
    let row = DrillRow {
        at_ms: 1,
        case: "USED".to_owned(),
        expected: view::Act::Stop,
        given: view::Act::LetIn,
    };
    let writes = vec![
        Write::Place(place),
        Write::Settings(settings.clone()),
        Write::Pin(pin.clone()),
        Write::Procedure(vec!["Call 12 34".to_owned()]),
        Write::TimeZone(Some("Europe/Paris".to_owned())),
        Write::ScanOpened(kept(1)),
        Write::ScanOpened(kept(2)),
        Write::ScanClosed(kept(1).scan_id),
        Write::DrillRow(row),
    ];
    write(&folder, writes).await;
    let (_, found) = open(&folder);
    let loaded = found.loaded;
    assert_eq!(
        (loaded.place, loaded.settings),
        (Some(place), Some(settings))
    );
    assert_eq!((loaded.pin, loaded.scans), (Some(pin), vec![kept(2)]));
    assert_eq!(loaded.procedure, ["Call 12 34"]);
    assert_eq!(loaded.time_zone.as_deref(), Some("Europe/Paris"));
    assert_eq!(loaded.damaged, []);
    for entry in fs::read_dir(&folder).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, OWNER_ONLY_FILE);
    }
    let mode = fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, OWNER_ONLY_FOLDER);

    write(&folder, vec![Write::ForgetPairing]).await;
    let (_, found) = open(&folder);
    assert_eq!((found.loaded.place, found.loaded.scans), (None, vec![]));
    assert!(found.loaded.procedure.is_empty(), "it is the other venue's");
    assert_eq!(found.loaded.time_zone, None, "it is the other venue's");
    assert!(
        found.loaded.pin.is_some(),
        "the kiosk's PIN is no part of a pairing"
    );
}

fn act(number: u128) -> crate::io::KeptAct {
    crate::io::KeptAct {
        act_id: ActId(Uuid::from_u128(number)),
        gate_id: GateId(Uuid::from_u128(1)),
        act: Act::Undo {
            scan_id: kept(number).scan_id,
        },
        reason: None,
        authorisation: Some("word".to_owned()),
        pressed_at_ms: 5,
    }
}

#[tokio::test]
async fn acts_without_an_answer_are_found_again_beside_the_scans() {
    let folder = tempfile::tempdir().unwrap();
    let opened = |number| Write::ActOpened(Box::new(act(number)));
    let writes = vec![
        opened(1),
        Write::ScanOpened(kept(3)),
        opened(2),
        Write::ActClosed(act(1).act_id),
    ];
    write(folder.path(), writes).await;
    for _ in 0..2 {
        let (_, found) = open(folder.path());
        assert_eq!(found.loaded.acts, [act(2)]);
        assert_eq!(found.loaded.scans, [kept(3)]);
    }
    let printed = format!("{:?}", act(2));
    assert!(!printed.contains("word"), "{printed}");
}

#[tokio::test]
async fn damaged_files_are_put_aside_and_said() {
    let folder = tempfile::tempdir().unwrap();
    for name in [PAIRING, PLACE, SETTINGS, PIN] {
        fs::write(folder.path().join(name), b"{\"half\":").unwrap();
    }
    fs::write(folder.path().join(SCANS), b"nonsense\n").unwrap();
    let (_, found) = open(folder.path());
    let all = [
        Stored::Pairing,
        Stored::Place,
        Stored::Settings,
        Stored::Pin,
        Stored::Scans,
    ];
    assert_eq!(found.loaded.damaged, all);
    assert!(folder.path().join("pairing.damaged").exists());
    // Said once, but for the PIN: without it nobody is let out of the kiosk.
    let (_, found) = open(folder.path());
    assert_eq!(found.loaded.damaged, [Stored::Pin]);
}

#[tokio::test]
async fn a_line_that_the_power_cut_is_no_damage_and_hides_no_later_one() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), vec![Write::ScanOpened(kept(1))]).await;
    let path = folder.path().join(SCANS);
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str("{\"opened\":{\"scan");
    fs::write(&path, text).unwrap();
    write(folder.path(), vec![Write::ScanOpened(kept(2))]).await;
    let (_, found) = open(folder.path());
    assert_eq!(found.loaded.scans, [kept(1), kept(2)]);
    assert_eq!(found.loaded.damaged, []);
}

#[tokio::test]
async fn the_log_of_a_long_night_stays_short() {
    let folder = tempfile::tempdir().unwrap();
    let scans = (0..4_000).flat_map(|number| {
        let scan = kept(number);
        [
            Write::ScanOpened(scan.clone()),
            Write::ScanClosed(scan.scan_id),
        ]
    });
    let last = Write::ScanOpened(kept(9_999));
    write(folder.path(), scans.chain([last]).collect()).await;
    let bytes = fs::metadata(folder.path().join(SCANS)).unwrap().len();
    assert!(bytes < 300 * 1_024, "{bytes}");
    let (_, found) = open(folder.path());
    assert_eq!(found.loaded.scans, [kept(9_999)]);
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (done, mut results) = unbounded_channel();
    let (mut files, _) = Files::open(folder.path(), done).unwrap();
    // Nothing can be made where a folder stands in the way.
    fs::create_dir_all(folder.path().join(SCANS).join("in the way")).unwrap();
    files.write(WriteId(7), Write::ScanOpened(kept(1)));
    files.close().await;
    let done = results.recv().await.unwrap();
    assert!(
        matches!(done, Done::Input(Input::Written(WriteId(7), false))),
        "{done:?}"
    );
}
