use std::fs;

use ed25519_dalek::SigningKey;
use eventify_protocol::time::CoreTime;
use uuid::Uuid;

use super::*;

const NOW: Stamp = Stamp {
    at: CoreTime(1_700_000_000_000_000),
    proven: true,
};

fn key(seed: u8) -> VerifyingKey {
    SigningKey::from_bytes(&[seed; 32]).verifying_key()
}

fn load(folder: &tempfile::TempDir) -> Scanners {
    Scanners::load(folder.path()).unwrap()
}

#[test]
fn pairings_survive_a_restart_and_a_key_keeps_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let gate = GateId(Uuid::from_u128(3));
    let scanners = load(&folder);
    let id = scanners.insert(key(1), "Door 1", Some(vec![gate]), NOW);
    let id = id.unwrap();
    let again = scanners.insert(key(1), "Door 1", None, NOW).unwrap();
    assert_eq!(again, id);
    let again = load(&folder).find(id).unwrap();
    assert_eq!((again.key, again.gates), (key(1), None));
    assert_eq!(again.life, Life::begun(NOW));
}

#[test]
fn a_scanner_that_was_unpaired_is_gone_after_a_restart_and_no_loss() {
    let folder = tempfile::tempdir().unwrap();
    let scanners = load(&folder);
    let [first, second] = [1, 2].map(|seed| scanners.insert(key(seed), "Door", None, NOW).unwrap());
    scanners.remove(first).unwrap();
    let error = scanners.remove(first).unwrap_err();
    assert!(matches!(error, ScannerError::Unknown(id) if id == first));
    let after = Scanners::open(folder.path()).unwrap();
    assert!(after.find(first).is_none() && after.find(second).is_some());
    assert!(!after.pairings().are_lost());
    let paired_again = after.insert(key(1), "Door", None, NOW).unwrap();
    assert_ne!(
        paired_again, first,
        "the id of one that is gone comes back to nobody"
    );
}

#[test]
fn the_release_before_reads_the_scanners() {
    let folder = tempfile::tempdir().unwrap();
    let scanners = load(&folder);
    let id = scanners.insert(key(1), "Door", None, NOW).unwrap();
    let text = fs::read_to_string(Scanners::path(folder.path())).unwrap();
    let records: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut fields: Vec<_> = records[0].as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["gates", "label", "publicKey", "scannerId"]);

    // Nor does this one need more than that release has written.
    for damaged in [None, Some("{"), Some(r#"{"version":2}"#)] {
        let life = folder.path().join("scanners-life.json");
        match damaged {
            Some(text) => fs::write(life, text).unwrap(),
            None => fs::remove_file(life).unwrap(),
        }
        let found = load(&folder).find(id).unwrap();
        assert_eq!(found.life, Life::default());
    }
}

#[test]
fn an_order_is_carried_out_once() {
    let folder = tempfile::tempdir().unwrap();
    let scanners = load(&folder);
    let id = scanners.insert(key(1), "Door", None, NOW).unwrap();
    let rename = |label: &str| {
        let label = Some(label.to_owned());
        Order::Edit(id, Edit { label, gates: None })
    };
    assert!(scanners.obey(1, rename("North")).unwrap());
    let label = Some("South".to_owned());
    scanners.edit(id, Edit { label, gates: None }).unwrap();
    let again = load(&folder);
    assert!(
        !again.obey(1, rename("North")).unwrap(),
        "it was carried out before"
    );
    assert_eq!(&*again.find(id).unwrap().label, "South");
    assert!(again.obey(2, Order::Remove(id)).unwrap());
    assert!(!again.obey(3, Order::Remove(id)).unwrap(), "it is gone");
    assert_eq!(load(&folder).read(|roll| roll.last_order), 3);
}

#[test]
fn a_sight_is_on_disk_when_it_was_saved_and_costs_no_revision() {
    let folder = tempfile::tempdir().unwrap();
    let scanners = load(&folder);
    let id = scanners.insert(key(1), "Door", None, NOW).unwrap();
    let revision = *scanners.revisions().borrow();
    let later = Stamp {
        at: NOW.at.plus(life::SEEN_EVERY),
        ..NOW
    };
    assert!(scanners.note_seen(id, later));
    scanners.save_sights(later).unwrap();
    let again = load(&folder);
    assert_eq!(again.find(id).unwrap().life.seen, Some(later));
    assert_eq!(again.read(|roll| roll.revision), revision);
    let much_later = Stamp {
        at: later.at.plus(2 * life::MAX_ABSENCE),
        ..later
    };
    assert!(!again.note_seen(id, much_later));
    again.insert(key(1), "Door", None, much_later).unwrap();
    assert!(again.note_seen(id, much_later), "it was paired again");
}

#[test]
fn pairings_that_are_gone_are_known_until_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let scanners = load(&folder);
    for seed in 1..=3 {
        scanners.insert(key(seed), "Door", None, NOW).unwrap();
    }
    let all = Pairings {
        paired: 3,
        noted: 3,
    };
    assert_eq!(load(&folder).pairings(), all);
    let file = Scanners::path(folder.path());
    fs::remove_file(&file).unwrap();
    assert!(load(&folder).pairings().are_lost());
    let lost = Scanners::open(folder.path()).unwrap();
    assert!(
        load(&folder).pairings().are_lost(),
        "it is said at each start"
    );
    lost.insert(key(1), "Door", None, NOW).unwrap();
    assert!(!load(&folder).pairings().are_lost());

    // The release before has noted nothing.
    let note = pairings::path(folder.path());
    for damaged in [None, Some("rubbish")] {
        fs::remove_file(&note).unwrap();
        if let Some(text) = damaged {
            fs::write(&note, text).unwrap();
        }
        Scanners::open(folder.path()).unwrap();
        assert_eq!(load(&folder).pairings().noted, 1);
    }
}

#[test]
fn a_damaged_file_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(Scanners::path(folder.path()), b"[{}]").unwrap();
    let error = Scanners::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("pair the scanners again"), "{error}");
}
