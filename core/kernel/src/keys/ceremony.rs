//! Making, rotating and withdrawing keys: what `eventify-core keys` does, with the root key at hand.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use eventify_protocol::keys::{
    KeyEntry, KeyId, KeySet, KeyStatus, KeyUse, PrivateKey, RootKey, RootPublicKey, Window,
};

use super::{
    KEY_SET, KeysError, ROOT_PRIVATE, ROOT_PUBLIC, content, file, private_path, read_private,
    read_root, read_signed, verified,
};

/// How long new keys vouch.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// Now, Unix seconds.
    pub from: i64,
    /// The latest expiry of a ticket that the key may sign, in seconds from now.
    pub seconds: i64,
}

/// Fills an empty directory: root key, one key for each use, version 1 of the key set. `seed` is
/// asked for 32 fresh random bytes for each key.
///
/// # Errors
/// [`KeysError::NotEmpty`], or a file that can't be written.
pub fn init(
    directory: &Path,
    lifetime: Lifetime,
    seed: &mut dyn FnMut() -> [u8; 32],
) -> Result<RootPublicKey, KeysError> {
    if directory.join(ROOT_PUBLIC).exists() || directory.join(KEY_SET).exists() {
        return Err(KeysError::NotEmpty(directory.to_owned()));
    }
    let root_key = PrivateKey::from_seed(&seed());
    write_secret(
        &directory.join(ROOT_PRIVATE),
        root_key.to_pkcs8_pem().as_bytes(),
    )?;
    let root = RootKey::new(root_key);
    write(
        &directory.join(ROOT_PUBLIC),
        format!("{}\n", root.public()).as_bytes(),
    )?;
    let entries = new_keys(directory, lifetime, seed)?;
    publish(directory, &root, 1, entries)?;
    Ok(root.public())
}

/// Adds a new key for each use and retires those that were active: what they signed stays valid
/// where it outlives them.
///
/// # Errors
/// See [`KeysError`].
pub fn rotate(
    directory: &Path,
    lifetime: Lifetime,
    seed: &mut dyn FnMut() -> [u8; 32],
) -> Result<KeySet, KeysError> {
    change(directory, |entries| {
        for entry in entries
            .iter_mut()
            .filter(|entry| entry.status == KeyStatus::Active)
        {
            entry.status = KeyStatus::Retired;
        }
        entries.extend(new_keys(directory, lifetime, seed)?);
        Ok(())
    })
}

/// Rotates if the ticket key ends before `reach` seconds from now; `None`: it reaches that far.
///
/// # Errors
/// See [`KeysError`].
pub fn renew(
    directory: &Path,
    lifetime: Lifetime,
    reach: i64,
    seed: &mut dyn FnMut() -> [u8; 32],
) -> Result<Option<KeySet>, KeysError> {
    let held = verified(directory, &read_signed(directory)?, &read_root(directory)?)?;
    let wanted = lifetime.from.saturating_add(reach);
    let mut keys = held.keys().iter();
    let reaches = keys.any(|entry| {
        entry.key_use == KeyUse::Ticket
            && entry.status == KeyStatus::Active
            && entry.window.not_after >= wanted
    });
    if reaches {
        return Ok(None);
    }
    rotate(directory, lifetime, seed).map(Some)
}

/// Takes a compromised key back: from the next key set on it verifies nothing.
///
/// # Errors
/// See [`KeysError`].
pub fn withdraw(directory: &Path, kid: &str) -> Result<KeySet, KeysError> {
    let unknown = || KeysError::UnknownKey(kid.to_owned());
    let wanted: KeyId = kid.parse().map_err(|_| unknown())?;
    change(directory, |entries| {
        let entry = entries.iter_mut().find(|entry| entry.key.kid() == wanted);
        entry.ok_or_else(unknown)?.status = KeyStatus::Withdrawn;
        Ok(())
    })
}

fn change(
    directory: &Path,
    act: impl FnOnce(&mut Vec<KeyEntry>) -> Result<(), KeysError>,
) -> Result<KeySet, KeysError> {
    let root = RootKey::new(read_private(&directory.join(ROOT_PRIVATE))?);
    let held = verified(directory, &read_signed(directory)?, &read_root(directory)?)?;
    let mut entries = held.keys().to_vec();
    act(&mut entries)?;
    publish(directory, &root, held.version() + 1, entries)
}

fn new_keys(
    directory: &Path,
    lifetime: Lifetime,
    seed: &mut dyn FnMut() -> [u8; 32],
) -> Result<Vec<KeyEntry>, KeysError> {
    let window = Window {
        not_before: lifetime.from,
        not_after: lifetime.from.saturating_add(lifetime.seconds),
    };
    [KeyUse::Ticket, KeyUse::Sync]
        .into_iter()
        .map(|key_use| {
            let key = PrivateKey::from_seed(&seed());
            let entry = KeyEntry {
                key: key.public(),
                key_use,
                window,
                status: KeyStatus::Active,
            };
            write_secret(
                &private_path(directory, &entry),
                key.to_pkcs8_pem().as_bytes(),
            )?;
            Ok(entry)
        })
        .collect()
}

fn publish(
    directory: &Path,
    root: &RootKey,
    version: u64,
    entries: Vec<KeyEntry>,
) -> Result<KeySet, KeysError> {
    let path = directory.join(KEY_SET);
    let set = KeySet::new(version, entries).map_err(|error| content(&path, &error))?;
    write(&path, root.sign(&set).as_bytes())?;
    Ok(set)
}

/// Whole or not at all: a server that starts meanwhile reads the old file or the new one.
fn write(path: &Path, bytes: &[u8]) -> Result<(), KeysError> {
    write_with_mode(path, bytes, 0o644)
}

fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), KeysError> {
    write_with_mode(path, bytes, 0o600)
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeysError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(file(parent))?;
    }
    let partial = path.with_extension("partial");
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&partial)
        .and_then(|mut out| out.write_all(bytes).and_then(|()| out.sync_all()))
        .and_then(|()| std::fs::rename(&partial, path));
    written.map_err(file(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::keys::{KeyRing, revived};

    const LIFETIME: Lifetime = Lifetime {
        from: 1_000_000,
        seconds: 1_000,
    };

    fn seeds() -> impl FnMut() -> [u8; 32] {
        let mut next = 0;
        move || {
            next += 1;
            [next; 32]
        }
    }

    #[test]
    fn rotation_signs_with_new_keys_and_keeps_the_old_ones_readable() {
        let directory = tempfile::tempdir().unwrap();
        let mut seed = seeds();
        let root = init(directory.path(), LIFETIME, &mut seed).unwrap();
        let before = KeyRing::load(directory.path()).unwrap();
        assert_eq!(before.root, root);

        let later = Lifetime {
            from: LIFETIME.from + 500,
            ..LIFETIME
        };
        rotate(directory.path(), later, &mut seed).unwrap();
        let after = KeyRing::load(directory.path()).unwrap();
        assert_eq!(after.set.version(), 2);
        assert_ne!(after.tickets.kid(), before.tickets.kid());
        let old = after.set.find(before.tickets.kid()).unwrap();
        assert_eq!(old.status, KeyStatus::Retired);
    }

    /// C01
    #[test]
    fn the_next_key_is_made_when_this_one_no_longer_reaches_far_enough() {
        let directory = tempfile::tempdir().unwrap();
        let mut seed = seeds();
        init(directory.path(), LIFETIME, &mut seed).unwrap();
        let later = Lifetime {
            from: LIFETIME.from + 500,
            ..LIFETIME
        };
        let mut renew = |reach| renew(directory.path(), later, reach, &mut seed).unwrap();
        assert_eq!(renew(500), None);
        assert_eq!(renew(501).map(|set| set.version()), Some(2));
        assert_eq!(renew(501), None);
        let ring = KeyRing::load(directory.path()).unwrap();
        assert_eq!(ring.tickets.entry().window.not_after, later.from + 1_000);
    }

    #[test]
    fn a_withdrawn_key_signs_nothing_and_the_start_says_so() {
        let directory = tempfile::tempdir().unwrap();
        init(directory.path(), LIFETIME, &mut seeds()).unwrap();
        let ring = KeyRing::load(directory.path()).unwrap();
        let kid = ring.tickets.kid().to_string();
        withdraw(directory.path(), &kid).unwrap();
        let refused = KeyRing::load(directory.path()).unwrap_err();
        assert!(
            matches!(refused, KeysError::NoActiveKey(KeyUse::Ticket, _)),
            "{refused}"
        );
        let unknown = withdraw(directory.path(), "nobody").unwrap_err();
        assert!(matches!(unknown, KeysError::UnknownKey(_)), "{unknown}");
    }

    #[test]
    fn keys_are_made_once_and_only_their_owner_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        init(directory.path(), LIFETIME, &mut seeds()).unwrap();
        let again = init(directory.path(), LIFETIME, &mut seeds()).unwrap_err();
        assert!(matches!(again, KeysError::NotEmpty(_)), "{again}");
        let mode = std::fs::metadata(directory.path().join(ROOT_PRIVATE))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_set_of_another_root_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        init(directory.path(), LIFETIME, &mut seeds()).unwrap();
        let other = RootKey::new(PrivateKey::from_seed(&[99; 32]));
        std::fs::write(
            directory.path().join(ROOT_PUBLIC),
            other.public().to_string(),
        )
        .unwrap();
        let refused = KeyRing::load(directory.path()).unwrap_err();
        assert!(matches!(refused, KeysError::Content { .. }), "{refused}");
    }

    #[test]
    fn a_set_that_revives_a_withdrawn_key_is_known_as_such() {
        let directory = tempfile::tempdir().unwrap();
        init(directory.path(), LIFETIME, &mut seeds()).unwrap();
        let before = KeyRing::load(directory.path()).unwrap();
        let kid = before.tickets.kid();
        let mut later = (100..).map(|byte| [byte; 32]);
        rotate(directory.path(), LIFETIME, &mut || later.next().unwrap()).unwrap();
        let held = withdraw(directory.path(), &kid.to_string()).unwrap();
        assert_eq!(revived(&held, &held), None);
        assert_eq!(revived(&held, &before.set), Some(kid));
        assert_eq!(revived(&before.set, &held), None);
    }
}
