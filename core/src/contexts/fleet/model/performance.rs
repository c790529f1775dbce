//! A performance in a venue, and whether the venue's gates admit to it (ADMISSION 3.11).

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::PerformanceFacts;
use eventify_protocol::ids::{PerformanceId, VenueId};
use eventify_protocol::sync::{FeedEntry, PerformanceState, Subject, Value};

use super::comparison::InFeed;

/// What is known of one performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Performance {
    pub(crate) id: PerformanceId,
    pub(crate) venue: VenueId,
    /// None while only its cancellation is known.
    pub(crate) facts: Option<PerformanceFacts>,
    pub(crate) facts_version: i32,
    /// Of the newest message about it.
    pub(crate) version: i32,
    /// Of its entry in the feed: raised by each change of the entry, by a confirmation too, of which
    /// event_management's versions know nothing.
    pub(crate) feed_version: i64,
    pub(crate) cancelled: bool,
    /// The venue's newest confirmation, perhaps of earlier times.
    pub(crate) confirmed: Option<Word>,
    /// Its newest refusal, likewise.
    pub(crate) declined: Option<Word>,
}

/// What the venue says of a performance, as it was planned then. Whoever may move a show into another
/// evening must not bring the venue's word along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Of the facts.
    pub(crate) version: i32,
    pub(crate) at: DateTime<Utc>,
}

impl Performance {
    /// Whether the venue admits to it, as it is planned now.
    fn is_accepted(&self, facts: &PerformanceFacts) -> bool {
        let confirmed = self.confirmed.map_or(0, |confirmed| confirmed.version);
        !facts.awaits_venue || confirmed >= self.facts_version
    }

    /// Whether nobody is admitted before the venue has confirmed it.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        let facts = self.facts.as_ref();
        facts.is_some_and(|facts| !self.is_accepted(facts)) && !self.cancelled
    }

    /// Whether the venue has said that it does not admit to it, as it is planned now.
    pub(crate) fn is_declined(&self) -> bool {
        let declined = self.declined.map_or(0, |declined| declined.version);
        self.is_unconfirmed() && declined >= self.facts_version
    }

    /// Whether the venue is asked, and has said nothing yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_unconfirmed() && !self.is_declined()
    }

    /// Its entry in the venue's feed. While the venue does not admit to it there is none, or one that
    /// deletes what it admitted to before.
    pub(crate) fn entry(&self) -> Option<FeedEntry> {
        let facts = self.facts.as_ref()?;
        if !self.is_accepted(facts) {
            return self.confirmed.map(|_| self.with_value(None));
        }
        let state = if self.cancelled {
            PerformanceState::Cancelled
        } else {
            PerformanceState::Scheduled
        };
        Some(self.with_value(Some(Value::Performance(facts.entry(state)))))
    }

    fn with_value(&self, value: Option<Value>) -> FeedEntry {
        FeedEntry {
            subject: Subject::Performance(self.id),
            version: u64::try_from(self.feed_version).unwrap_or_default(),
            value,
        }
    }

    /// Whether the feed has something else than its entry (ADMISSION 5.2).
    pub(crate) fn differs(&self, in_feed: Option<&InFeed>) -> bool {
        let Some(in_feed) = in_feed else {
            return self.entry().is_some_and(|entry| entry.value.is_some());
        };
        if in_feed.is_waiting {
            return false;
        }
        match self.entry() {
            None => in_feed.live,
            Some(entry) if entry.value.is_none() => {
                in_feed.live || in_feed.version > self.feed_version
            }
            Some(entry) => {
                let same = in_feed.version == self.feed_version && in_feed.row == entry.to_bytes();
                !(in_feed.live && same)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use eventify_contracts::event_management::PerformanceTimes;
    use eventify_protocol::ids::EventId;
    use eventify_protocol::sync::MAX_TITLE_CHARS;
    use uuid::Uuid;

    use super::*;

    fn performance(awaits_venue: bool) -> Performance {
        let time = |seconds| DateTime::from_timestamp(seconds, 1).unwrap();
        let facts = PerformanceFacts {
            event_id: EventId(Uuid::nil()),
            event_title: "é".repeat(200),
            event_version: 1,
            owner_id: Uuid::nil(),
            org_id: None,
            times: PerformanceTimes {
                start_time: time(200),
                doors_at: time(100),
                ends_at: None,
                admits_from: time(50),
                admits_until: time(900),
                restarts_at: None,
            },
            sales_opens_at: None,
            sales_closes_at: None,
            venue_id: VenueId(Uuid::nil()),
            venue_name: "Town hall".to_owned(),
            reentry: false,
            awaits_venue,
            seating_plan_id: Uuid::nil().into(),
            pricing_scheme_id: Uuid::nil().into(),
            currency: "EUR".to_owned(),
            categories: Vec::new(),
        };
        Performance {
            id: PerformanceId(Uuid::nil()),
            venue: facts.venue_id,
            facts: Some(facts),
            facts_version: 3,
            version: 3,
            feed_version: 4,
            cancelled: false,
            declined: None,
            confirmed: None,
        }
    }

    fn confirmation(version: i32) -> Word {
        Word {
            version,
            at: DateTime::from_timestamp(1, 0).unwrap(),
        }
    }

    /// S1: somebody else's show opens no gate of this venue.
    #[test]
    fn a_foreign_performance_enters_the_feed_when_the_venue_has_confirmed_it() {
        let foreign = performance(true);
        assert!(foreign.is_waiting());
        assert_eq!(foreign.entry(), None);
        let confirmed = Performance {
            confirmed: Some(confirmation(3)),
            ..foreign
        };
        assert!(!confirmed.is_waiting());
        assert!(confirmed.entry().unwrap().value.is_some());
    }

    /// S1: a confirmed matinee is no key to the next evening.
    #[test]
    fn a_foreign_performance_that_moves_leaves_the_feed_until_it_is_confirmed_again() {
        let moved = Performance {
            confirmed: Some(confirmation(2)),
            ..performance(true)
        };
        assert!(moved.is_waiting());
        let entry = moved.entry().unwrap();
        assert_eq!((entry.version, entry.value), (4, None));
    }

    #[test]
    fn an_entry_has_a_short_title_and_a_window_of_whole_seconds() {
        let Some(Value::Performance(entry)) = performance(false).entry().unwrap().value else {
            panic!("a performance");
        };
        assert_eq!(entry.title.chars().count(), MAX_TITLE_CHARS);
        assert_eq!((entry.admits.from, entry.admits.until), (50, 901));
        let cancelled = Performance {
            cancelled: true,
            ..performance(false)
        };
        let Some(Value::Performance(entry)) = cancelled.entry().unwrap().value else {
            panic!("a performance");
        };
        assert_eq!(entry.state, PerformanceState::Cancelled);
    }

    fn in_feed(performance: &Performance) -> InFeed {
        let entry = performance.entry().unwrap();
        InFeed {
            version: performance.feed_version,
            live: entry.value.is_some(),
            row: entry.to_bytes(),
            is_waiting: false,
        }
    }

    #[test]
    fn a_row_of_the_feed_that_is_another_one_differs() {
        let ours = performance(false);
        let right = in_feed(&ours);
        assert!(!ours.differs(Some(&right)));
        assert!(ours.differs(None), "it is missing");
        for wrong in [
            InFeed {
                live: false,
                ..right.clone()
            },
            InFeed {
                version: 5,
                ..right.clone()
            },
            InFeed {
                row: b"rubbish".to_vec(),
                ..right.clone()
            },
        ] {
            assert!(ours.differs(Some(&wrong)), "{wrong:?}");
            let waiting = InFeed {
                is_waiting: true,
                ..wrong
            };
            assert!(!ours.differs(Some(&waiting)), "it is about to be written");
        }
        // What the venue does not admit to, the feed must not have.
        let foreign = performance(true);
        assert!(!foreign.differs(None));
        assert!(foreign.differs(Some(&right)));
        let moved = Performance {
            confirmed: Some(confirmation(2)),
            ..foreign
        };
        assert!(moved.differs(Some(&right)));
        assert!(!moved.differs(Some(&in_feed(&moved))));
        assert!(!moved.differs(None));
    }

    #[test]
    fn what_is_only_known_as_cancelled_has_no_entry_yet() {
        let unknown = Performance {
            facts: None,
            cancelled: true,
            ..performance(false)
        };
        assert_eq!(unknown.entry(), None);
        assert!(!unknown.is_waiting());
    }
}
