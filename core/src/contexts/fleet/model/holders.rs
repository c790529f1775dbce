//! Whose tickets are, for venues whose staff may look for guests: which performances, for how long, and what
//! of it the feed carries.

use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{OrderId, TicketId};
use eventify_protocol::sync::{
    FeedEntry, HOLDER_NONCE_BYTES, Holder, HolderEntry, HolderKey, PerformanceKey, Subject, Value,
};

use super::performance::Performance;

/// How long before it admits names of a performance travel to the gates.
pub(crate) const AHEAD: TimeDelta = TimeDelta::hours(48);
/// How long after it admits the last guest they are there.
pub(crate) const AFTER: TimeDelta = TimeDelta::hours(24);

/// When the key of a performance is to be wiped, if it is to be at the gates now.
pub(crate) fn wipe_at(performance: &Performance, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let Some(Value::Performance(_)) = performance.entry()?.value else {
        return None;
    };
    let times = &performance.facts.as_ref()?.times;
    let wipe_at = times.admits_until + AFTER;
    let is_near = times.admits_from - AHEAD <= now && now < wipe_at;
    (is_near && !performance.cancelled).then_some(wipe_at)
}

/// Whether a holder has changed, without the holder: nobody can try names without the key.
pub(crate) fn content(key: &HolderKey, order: OrderId, name: Option<&str>) -> Hash32 {
    let name = name.unwrap_or_default();
    Hash32::of(
        &[
            key.as_bytes(),
            &order.as_uuid().as_bytes()[..],
            name.as_bytes(),
        ]
        .concat(),
    )
}

/// A holder as the feed carries it. `nonce` is random and new.
pub(crate) fn entry(
    key: &PerformanceKey,
    (ticket, version): (TicketId, u64),
    holder: &Holder,
    nonce: [u8; HOLDER_NONCE_BYTES],
) -> FeedEntry {
    let value = HolderEntry {
        performance: key.performance,
        sealed: key.key.seal((ticket, version), holder, nonce),
    };
    FeedEntry {
        subject: Subject::Holder(ticket),
        version,
        value: Some(Value::Holder(value)),
    }
}

/// The feed has nothing of a holder any more.
pub(crate) fn deletion((ticket, version): (TicketId, u64)) -> FeedEntry {
    FeedEntry {
        subject: Subject::Holder(ticket),
        version,
        value: None,
    }
}
