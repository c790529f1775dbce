use eventify_disk::pin::Pin;
use eventify_protocol::time::CoreTime;
use tempfile::TempDir;
use uuid::Uuid;

use super::{super::DIGITS, *};

const SAM: PersonId = PersonId(Uuid::from_u128(1));
const BOOT: BootId = BootId(Uuid::from_u128(2));
const OTHER_BOOT: BootId = BootId(Uuid::from_u128(3));
const DAY: Duration = Duration::from_secs(24 * 3_600);
const LIFE: Duration = Duration::from_secs(30 * 24 * 3_600);

fn at(seconds: u64) -> BootTime {
    BootTime(seconds * 1_000_000_000)
}

fn stamp(after: Duration) -> Stamp {
    Stamp {
        at: CoreTime(1_700_000_000_000_000).plus(after),
        proven: true,
    }
}

fn moment(seconds: u64) -> (BootTime, Stamp) {
    (at(seconds), stamp(Duration::from_secs(seconds)))
}

fn hash() -> PinHash {
    PinHash::new(&Pin::read("271828".to_owned(), &DIGITS).unwrap(), [1; 16])
}

fn open(folder: &TempDir, boot: BootId, now: u64) -> Pins {
    Pins::open(folder.path(), (boot, at(now)), LIFE)
}

fn with_sam(folder: &TempDir) -> Pins {
    let mut pins = open(folder, BOOT, 0);
    pins.set(SAM, hash(), stamp(Duration::ZERO)).unwrap();
    pins
}

fn wait(result: Result<Try, NotTried>) -> u64 {
    match result {
        Err(NotTried::Locked(left)) => left.as_secs(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn five_wrong_pins_in_a_row_lock_for_five_minutes_then_for_ten() {
    let folder = tempfile::tempdir().unwrap();
    let mut pins = with_sam(&folder);
    for left in [4, 3, 2, 1, 0] {
        assert_eq!(pins.begin(SAM, moment(1)).unwrap().left, left);
    }
    assert_eq!(wait(pins.begin(SAM, moment(2))), 299);
    for left in [4, 3, 2, 1, 0] {
        assert_eq!(pins.begin(SAM, moment(301)).unwrap().left, left);
    }
    assert_eq!(wait(pins.begin(SAM, moment(301))), 600);
}

#[test]
fn a_right_pin_forgives_the_wrong_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut pins = with_sam(&folder);
    for _ in 0..4 {
        pins.begin(SAM, moment(1)).unwrap();
    }
    pins.end_right(SAM, stamp(Duration::ZERO)).unwrap();
    assert_eq!(pins.begin(SAM, moment(1)).unwrap().left, 4);
}

#[test]
fn no_restart_gives_tries_back_and_a_reboot_begins_the_lock_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut pins = with_sam(&folder);
    for _ in 0..3 {
        pins.begin(SAM, moment(1)).unwrap();
    }
    let mut pins = open(&folder, BOOT, 2);
    assert_eq!(pins.begin(SAM, moment(2)).unwrap().left, 1);
    assert_eq!(pins.begin(SAM, moment(2)).unwrap().left, 0);
    let mut pins = open(&folder, BOOT, 102);
    assert_eq!(wait(pins.begin(SAM, moment(102))), 200);
    let mut rebooted = open(&folder, OTHER_BOOT, 5);
    assert_eq!(wait(rebooted.begin(SAM, moment(5))), 300);
}

#[test]
fn a_pin_ends_thirty_days_after_the_sign_in_by_the_cores_time_alone() {
    let folder = tempfile::tempdir().unwrap();
    let pins = with_sam(&folder);
    assert!(pins.has(SAM, stamp(30 * DAY)) && !pins.has(SAM, stamp(31 * DAY)));
    let by_own_clock = Stamp {
        proven: false,
        ..stamp(400 * DAY)
    };
    assert!(pins.has(SAM, by_own_clock), "a wrong clock refuses nobody");
}

#[test]
fn who_left_has_no_pin_any_more_and_the_file_is_the_nodes_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let mut pins = with_sam(&folder);
    let path = Pins::path(folder.path());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(pins.retain(&BTreeSet::from([SAM])).unwrap(), 0);
    assert_eq!(pins.retain(&BTreeSet::new()).unwrap(), 1);
    assert!(matches!(pins.begin(SAM, moment(1)), Err(NotTried::NoPin)));
    assert!(!std::fs::read_to_string(&path).unwrap().contains("salt"));
}
