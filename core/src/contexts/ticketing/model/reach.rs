//! How far the ticket key reaches: what is promised beyond it could not be signed (C01 of the cases:
//! sold, paid, and refunded after ten minutes).

use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::keys::{KeyEntry, KeyStatus};

/// The latest that a ticket admits after the start of a performance whose end is not planned: the
/// greatest `ticketing.after_start_minutes`.
const MAX_AFTER_START: TimeDelta = TimeDelta::days(1);
/// Organisers plan a season ahead.
const REMIND_AHEAD: TimeDelta = TimeDelta::days(180);
/// So long before the programme meets the end of the key, somebody has to act.
const REMIND_BEFORE_END: TimeDelta = TimeDelta::days(60);

/// Why tickets of a performance could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CantSign {
    /// It ends later than the ticket key may vouch for.
    #[error(
        "tickets can be signed for performances that end by {} at the latest, when the ticket key \
         ends; the operator of this system has to add the next key first",
        .last.format("%Y-%m-%d UTC")
    )]
    Beyond {
        /// Until then.
        last: DateTime<Utc>,
    },
    /// The key was withdrawn, or this process has none.
    #[error("no ticket key is in force")]
    NoKey,
}

/// The latest end of a ticket of such a performance.
pub(crate) fn latest_expiry(start: DateTime<Utc>, end: Option<DateTime<Utc>>) -> DateTime<Utc> {
    end.unwrap_or_else(|| start.checked_add_signed(MAX_AFTER_START).unwrap_or(start))
}

/// Whether this key can sign tickets of a performance.
///
/// # Errors
/// [`CantSign`].
pub(crate) fn can_sign(
    key: Option<&KeyEntry>,
    start: DateTime<Utc>,
    end: Option<DateTime<Utc>>,
) -> Result<(), CantSign> {
    let key = key.filter(|key| key.status == KeyStatus::Active);
    let key = key.ok_or(CantSign::NoKey)?;
    // A second that has begun counts as whole.
    let expiry = latest_expiry(start, end).timestamp() + 1;
    if key.window.covers(expiry) {
        return Ok(());
    }
    let last = end_of(key);
    Err(CantSign::Beyond { last })
}

/// A key that ends too soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reminder {
    /// When the key ends.
    pub(crate) ends_at: DateTime<Utc>,
    /// When the last performance of the programme ends.
    pub(crate) programme_until: Option<DateTime<Utc>>,
}

/// Whether the next key is due: long before the programme, or its planning, meets the end of this one.
pub(crate) fn remind(
    key: &KeyEntry,
    programme_until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<Reminder> {
    let ends_at = end_of(key);
    let planning = now + REMIND_AHEAD;
    let programme = programme_until.map(|until| until + REMIND_BEFORE_END);
    (ends_at < programme.map_or(planning, |until| until.max(planning))).then_some(Reminder {
        ends_at,
        programme_until,
    })
}

fn end_of(key: &KeyEntry) -> DateTime<Utc> {
    DateTime::from_timestamp(key.window.not_after, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use eventify_protocol::keys::{KeyUse, PrivateKey, Window};

    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::days(number)
    }

    /// Ends on day 400.
    fn key() -> KeyEntry {
        KeyEntry {
            key: PrivateKey::from_seed(&[1; 32]).public(),
            key_use: KeyUse::Ticket,
            window: Window {
                not_before: day(0).timestamp(),
                not_after: day(400).timestamp(),
            },
            status: KeyStatus::Active,
        }
    }

    /// C01
    #[test]
    fn what_ends_after_the_key_is_not_promised() {
        let last = day(400);
        let beyond = Err(CantSign::Beyond { last });
        let second = TimeDelta::seconds(1);
        for (start, end, answer) in [
            (day(390), None, Ok(())),
            (day(399) - second, None, Ok(())),
            (day(399), None, beyond),
            (day(399), Some(last - second), Ok(())),
            (day(399), Some(last), beyond),
            (day(500), None, beyond),
        ] {
            assert_eq!(can_sign(Some(&key()), start, end), answer, "{start}");
        }
        let withdrawn = KeyEntry {
            status: KeyStatus::Withdrawn,
            ..key()
        };
        for none in [None, Some(&withdrawn)] {
            assert_eq!(can_sign(none, day(1), None), Err(CantSign::NoKey));
        }
        let words = CantSign::Beyond { last }.to_string();
        assert!(
            words.contains(&last.format("%Y-%m-%d UTC").to_string()),
            "{words}"
        );
    }

    /// C01
    #[test]
    fn the_next_key_is_asked_for_long_before_it_is_needed() {
        for (programme, today, reminded) in [
            (None, 0, false),
            (None, 219, false),
            (None, 221, true),
            (Some(339), 0, false),
            (Some(341), 0, true),
            (Some(100), 221, true),
        ] {
            let reminder = remind(&key(), programme.map(day), day(today));
            assert_eq!(reminder.is_some(), reminded, "{programme:?} on day {today}");
        }
    }
}
