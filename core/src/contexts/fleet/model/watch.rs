//! What is wrong with a node while its gates are needed: what a person in the venue has to know before
//! the queue does.

use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::ids::{NodeId, PerformanceId, VenueId};
use eventify_protocol::verdict::Mode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::alarm::{Alarm, Code, ORGANISATION, ORGANISER, PERFORMANCE};
use super::health::mode_name;

/// Nodes report each ten seconds: whoever missed two reports is not heard.
pub(crate) const HEARD_WITHIN: TimeDelta = TimeDelta::seconds(30);
/// A gate that is not ready so long before it admits is somebody's business: there is time to mend it.
pub(crate) const READY_BEFORE: TimeDelta = TimeDelta::hours(1);
/// A node that is back takes seconds to be `Online`.
const RETURNS_WITHIN: TimeDelta = TimeDelta::seconds(60);
/// Some hours of a busy gate, and time to make room.
const LEAST_FREE_BYTES: i64 = 256 << 20;

/// The codes that [`Watched::alarms`] decides of.
pub(crate) const WATCHED: [Code; 5] = [
    Code::GateCutOff,
    Code::GateFaulty,
    Code::GateLocked,
    Code::GateDecidesAlone,
    Code::NodeDiskLow,
];

/// An enrolled node, with the show that its gates are next needed for.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) node_id: NodeId,
    pub(crate) venue_id: VenueId,
    pub(crate) max_cache_age_ms: i32,
    pub(crate) show: Option<Show>,
    pub(crate) last: Option<LastReport>,
}

/// A show that admits, or soon will.
#[derive(Clone, Debug)]
pub(crate) struct Show {
    pub(crate) performance_id: PerformanceId,
    pub(crate) title: String,
    pub(crate) owner_id: Option<Uuid>,
    pub(crate) org_id: Option<String>,
    pub(crate) admits_from: DateTime<Utc>,
}

/// What it last said of itself.
#[derive(Clone, Debug)]
pub(crate) struct LastReport {
    pub(crate) seen_at: DateTime<Utc>,
    pub(crate) mode: String,
    pub(crate) mode_since: DateTime<Utc>,
    pub(crate) cache_age_ms: Option<i64>,
    pub(crate) unacknowledged: i64,
    pub(crate) free_bytes: i64,
    /// Why its journal takes no row.
    pub(crate) journal_fault: Option<String>,
}

/// Whether a node is heard: reports that came before this process listened say nothing.
pub(crate) fn is_heard(
    seen_at: DateTime<Utc>,
    listening_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> bool {
    now - seen_at.max(listening_since) <= HEARD_WITHIN
}

impl LastReport {
    /// Until when the node may decide alone by the copy that it last reported; none of one that was
    /// locked, or had no copy.
    pub(crate) fn decides_alone_until(&self, max_cache_age_ms: i32) -> Option<DateTime<Utc>> {
        if self.mode == mode_name(Mode::Locked) {
            return None;
        }
        let age = TimeDelta::milliseconds(self.cache_age_ms?);
        Some(self.seen_at - age + TimeDelta::milliseconds(max_cache_age_ms.into()))
    }
}

impl Watched {
    /// What is wrong now.
    pub(crate) fn alarms(&self, listening_since: DateTime<Utc>, now: DateTime<Utc>) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        let heard = self
            .last
            .as_ref()
            .filter(|last| is_heard(last.seen_at, listening_since, now));
        if let Some(last) = heard
            && last.free_bytes < LEAST_FREE_BYTES
        {
            alarms.push(self.alarm(Code::NodeDiskLow, json!({ "freeBytes": last.free_bytes })));
        }
        if self.show.is_none() {
            return alarms;
        }
        match (heard, &self.last) {
            (Some(last), _) => {
                alarms.extend(self.of_faulty(last));
                alarms.extend(self.of_heard(last, now));
            }
            (None, last) if now - listening_since > HEARD_WITHIN => {
                alarms.extend(self.of_silent(last.as_ref(), now));
            }
            (None, _) => {}
        }
        alarms
    }

    /// Whatever its mode is: a gate that can write nothing down lets nobody in.
    fn of_faulty(&self, last: &LastReport) -> Option<Alarm> {
        let fault = last.journal_fault.as_ref()?;
        let details = json!({
            "journalFault": fault, "freeBytes": last.free_bytes, "heardAt": last.seen_at,
        });
        Some(self.alarm(Code::GateFaulty, details))
    }

    fn of_heard(&self, last: &LastReport, now: DateTime<Utc>) -> Option<Alarm> {
        let details = json!({
            "mode": last.mode, "modeSince": last.mode_since, "heardAt": last.seen_at,
            "cacheAgeMs": last.cache_age_ms, "unacknowledged": last.unacknowledged,
        });
        if last.mode == mode_name(Mode::Locked) {
            let mut details = details;
            details["presumed"] = json!(false);
            return Some(self.alarm(Code::GateLocked, details));
        }
        let is_late = now - last.mode_since > RETURNS_WITHIN;
        (last.mode != mode_name(Mode::Online) && is_late)
            .then(|| self.alarm(Code::GateDecidesAlone, details))
    }

    fn of_silent(&self, last: Option<&LastReport>, now: DateTime<Utc>) -> Vec<Alarm> {
        let until = last.and_then(|last| last.decides_alone_until(self.max_cache_age_ms));
        let details = json!({
            "heardAt": last.map(|last| last.seen_at),
            "lastMode": last.map(|last| &last.mode),
            "decidesAloneUntil": until,
            "unacknowledged": last.map(|last| last.unacknowledged),
        });
        let mut alarms = vec![self.alarm(Code::GateCutOff, details.clone())];
        if until.is_none_or(|until| until <= now) {
            let mut details = details;
            details["presumed"] = json!(true);
            alarms.push(self.alarm(Code::GateLocked, details));
        }
        alarms
    }

    fn alarm(&self, code: Code, details: Value) -> Alarm {
        let mut alarm = Alarm::new(code).of_node(self.venue_id, self.node_id);
        let mut all = Map::new();
        if let Some(show) = &self.show {
            alarm = alarm.also(PERFORMANCE, &show.performance_id);
            if let Some(owner) = show.owner_id {
                alarm = alarm.also(ORGANISER, &owner);
            }
            if let Some(org) = &show.org_id {
                alarm = alarm.also(ORGANISATION, org);
            }
            all.insert("performance".to_owned(), json!(show.title));
            all.insert("admitsFrom".to_owned(), json!(show.admits_from));
        }
        if let Value::Object(details) = details {
            all.extend(details);
        }
        alarm.with(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn at(seconds: i64) -> DateTime<Utc> {
        START + TimeDelta::seconds(seconds)
    }

    /// Heard at second 1000, with a cache of that moment.
    fn watched(mode: Mode) -> Watched {
        Watched {
            node_id: NodeId(Uuid::nil()),
            venue_id: VenueId(Uuid::nil()),
            max_cache_age_ms: 300_000,
            show: Some(Show {
                performance_id: PerformanceId(Uuid::nil()),
                title: "Gala".to_owned(),
                owner_id: None,
                org_id: None,
                admits_from: at(2_000),
            }),
            last: Some(LastReport {
                seen_at: at(1_000),
                mode: mode_name(mode).to_owned(),
                mode_since: at(900),
                cache_age_ms: Some(0),
                unacknowledged: 0,
                free_bytes: 1 << 40,
                journal_fault: None,
            }),
        }
    }

    fn codes(watched: &Watched, seconds: i64) -> Vec<&'static str> {
        let alarms = watched.alarms(START, at(seconds)).into_iter();
        alarms.map(|alarm| alarm.code.name()).collect()
    }

    #[test]
    fn a_silent_gate_is_cut_off_and_five_minutes_later_presumed_locked() {
        let node = watched(Mode::Online);
        assert!(codes(&node, 1_030).is_empty(), "one report may be late");
        assert_eq!(codes(&node, 1_031), ["gate_cut_off"]);
        assert_eq!(codes(&node, 1_299), ["gate_cut_off"]);
        assert_eq!(codes(&node, 1_300), ["gate_cut_off", "gate_locked"]);
        let locked = &node.alarms(START, at(1_300))[1];
        assert_eq!(locked.details["presumed"], json!(true));
        assert_eq!(locked.details["performance"], json!("Gala"));
    }

    #[test]
    fn a_gate_whose_venue_lets_none_decide_alone_is_locked_as_soon_as_it_is_silent() {
        let mut node = watched(Mode::Online);
        node.max_cache_age_ms = 0;
        assert_eq!(codes(&node, 1_031), ["gate_cut_off", "gate_locked"]);
    }

    #[test]
    fn a_gate_that_says_that_it_is_locked_is_locked_and_not_cut_off() {
        let node = watched(Mode::Locked);
        assert_eq!(codes(&node, 1_001), ["gate_locked"]);
        assert_eq!(
            node.alarms(START, at(1_001))[0].details["presumed"],
            json!(false)
        );
    }

    #[test]
    fn a_gate_that_can_write_nothing_down_is_an_alarm_in_any_mode() {
        for (mode, also) in [(Mode::Online, None), (Mode::Locked, Some("gate_locked"))] {
            let mut node = watched(mode);
            node.last.as_mut().unwrap().journal_fault = Some("held".to_owned());
            let expected: Vec<_> = ["gate_faulty"].into_iter().chain(also).collect();
            assert_eq!(codes(&node, 1_001), expected);
            let alarm = &node.alarms(START, at(1_001))[0];
            assert_eq!(alarm.details["journalFault"], json!("held"));
        }
    }

    #[test]
    fn a_gate_that_is_back_has_a_minute_to_be_online() {
        let node = watched(Mode::Resyncing);
        assert!(codes(&node, 960).is_empty());
        assert_eq!(codes(&node, 961), ["gate_decides_alone"]);
    }

    #[test]
    fn nobody_is_woken_for_a_node_that_no_show_needs() {
        let mut node = watched(Mode::Online);
        node.show = None;
        assert!(codes(&node, 90_000).is_empty());
        let last = node.last.as_mut().unwrap();
        last.free_bytes = 1 << 20;
        assert_eq!(
            codes(&node, 1_001),
            ["node_disk_low"],
            "that is to be mended by day"
        );
    }

    #[test]
    fn a_core_that_has_just_started_has_not_listened_long_enough_to_miss_anybody() {
        let mut node = watched(Mode::Online);
        assert!(node.alarms(at(5_000), at(5_030)).is_empty());
        assert!(!node.alarms(at(5_000), at(5_031)).is_empty());
        node.last = None;
        assert_eq!(
            codes(&node, 31),
            ["gate_cut_off", "gate_locked"],
            "never heard"
        );
    }
}
