//! The keys that all vectors share. Their seeds are public: they are worth nothing.

use eventify_protocol::keys::{
    KeyEntry, KeySet, KeyStatus, KeyUse, PrivateKey, RootKey, Signer, Window,
};

/// One test key.
pub(crate) struct TestKey {
    pub(crate) name: &'static str,
    pub(crate) seed: [u8; 32],
    pub(crate) key_use: KeyUse,
    pub(crate) status: KeyStatus,
    pub(crate) window: Window,
}

impl TestKey {
    pub(crate) fn private(&self) -> PrivateKey {
        PrivateKey::from_seed(&self.seed)
    }

    pub(crate) fn entry(&self) -> KeyEntry {
        KeyEntry {
            key: self.private().public(),
            key_use: self.key_use,
            window: self.window,
            status: self.status,
        }
    }
}

const WINDOW: Window = Window {
    not_before: 1_790_000_000,
    not_after: 1_850_000_000,
};
const EVER: Window = Window {
    not_before: 0,
    not_after: u32::MAX as i64,
};

pub(crate) const ACTIVE: TestKey = key("TEST-ticket-active", 1, KeyUse::Ticket, KeyStatus::Active);
pub(crate) const RETIRED: TestKey =
    key("TEST-ticket-retired", 2, KeyUse::Ticket, KeyStatus::Retired);
pub(crate) const WITHDRAWN: TestKey = key(
    "TEST-ticket-withdrawn",
    3,
    KeyUse::Ticket,
    KeyStatus::Withdrawn,
);
pub(crate) const SYNC: TestKey = key("TEST-sync-active", 4, KeyUse::Sync, KeyStatus::Active);
pub(crate) const SYNC_RETIRED: TestKey =
    key("TEST-sync-retired", 5, KeyUse::Sync, KeyStatus::Retired);
/// Has the widest window, for the claims at the ends of their ranges.
pub(crate) const WIDE: TestKey = TestKey {
    window: EVER,
    ..key(
        "TEST-ticket-wide-window",
        6,
        KeyUse::Ticket,
        KeyStatus::Active,
    )
};
/// In no set.
pub(crate) const STRANGER: TestKey =
    key("TEST-ticket-stranger", 7, KeyUse::Ticket, KeyStatus::Active);

pub(crate) const IN_THE_SET: [&TestKey; 6] =
    [&ACTIVE, &RETIRED, &WITHDRAWN, &SYNC, &SYNC_RETIRED, &WIDE];

pub(crate) const SET_VERSION: u64 = 3;
pub(crate) const ROOT_SEED: [u8; 32] = [0xee; 32];

const fn key(name: &'static str, seed: u8, key_use: KeyUse, status: KeyStatus) -> TestKey {
    TestKey {
        name,
        seed: [seed; 32],
        key_use,
        status,
        window: WINDOW,
    }
}

pub(crate) fn key_set() -> KeySet {
    let entries = IN_THE_SET.iter().map(|key| key.entry()).collect();
    KeySet::new(SET_VERSION, entries).unwrap()
}

pub(crate) fn root() -> RootKey {
    RootKey::new(PrivateKey::from_seed(&ROOT_SEED))
}

pub(crate) fn sync_signer(key: &TestKey) -> Signer {
    Signer::for_sync(key.private())
}
