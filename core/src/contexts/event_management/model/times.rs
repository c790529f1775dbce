//! When a performance takes place, is sold and admits.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use eventify_contracts::event_management::PerformanceTimes;
use eventify_kernel::http::GivenTime;
use eventify_protocol::sync::Reentry;
use schemars::JsonSchema;
use serde::Deserialize;

use super::event::EventError;

/// Doors open this long before the beginning, unless the organiser sets another time.
const DOORS_BEFORE_START: TimeDelta = TimeDelta::hours(1);
const MAX_AHEAD: TimeDelta = TimeDelta::days(5 * 366);
/// Doors that open earlier, or an end that comes later, are a slip of the hand; or somebody wants tickets
/// that admit on other evenings too.
const MAX_DOORS_BEFORE_START: TimeDelta = TimeDelta::days(7);
const MAX_END_AFTER_START: TimeDelta = TimeDelta::days(14);

/// How much earlier and later than planned a performance's tickets admit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Margins {
    /// Before the doors open.
    pub(crate) before_doors: TimeDelta,
    /// After the start of a performance whose end is not planned.
    pub(crate) after_start: TimeDelta,
}

/// The times as an organiser plans them: `PUT /events/{eventId}/performances/{performanceId}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PlannedTimes {
    pub(super) start_time: GivenTime,
    #[serde(default)]
    pub(super) doors_at: Option<GivenTime>,
    #[serde(default)]
    pub(super) ends_at: Option<GivenTime>,
    #[serde(default)]
    pub(super) sales_opens_at: Option<GivenTime>,
    #[serde(default)]
    pub(super) sales_closes_at: Option<GivenTime>,
    /// Default: as it was.
    #[serde(default)]
    pub(super) reentry: Option<Reentry>,
}

/// Times that are in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) start: DateTime<Utc>,
    pub(crate) doors: DateTime<Utc>,
    pub(crate) end: Option<DateTime<Utc>>,
    pub(crate) sales_open: Option<DateTime<Utc>>,
    pub(crate) sales_close: Option<DateTime<Utc>>,
}

impl PlannedTimes {
    /// The times of a new performance, which is still to come.
    pub(crate) fn of_new(&self, now: DateTime<Utc>) -> Result<Times, EventError> {
        let times = self.in_order(now)?;
        if times.start <= now {
            return refuse("startTime", "is in the past");
        }
        Ok(times)
    }

    /// The times of one that moves. It may have begun by now, as a show that is reported to be late has;
    /// but at its new times somebody has to be admitted.
    pub(crate) fn of_moved(
        &self,
        margins: Margins,
        now: DateTime<Utc>,
    ) -> Result<Times, EventError> {
        let times = self.in_order(now)?;
        if times.admits_until(margins) <= now {
            let field = if self.ends_at.is_some() {
                "endsAt"
            } else {
                "startTime"
            };
            return refuse(field, "is in the past: nobody would be admitted any more");
        }
        Ok(times)
    }

    /// Whether guests may leave and come back, if that is to change.
    pub(crate) fn reentry(&self) -> Option<Reentry> {
        self.reentry
    }

    fn in_order(&self, now: DateTime<Utc>) -> Result<Times, EventError> {
        let GivenTime(start) = self.start_time;
        let given = |time: Option<GivenTime>| time.map(|GivenTime(time)| time);
        let times = Times {
            start,
            doors: given(self.doors_at).unwrap_or(start - DOORS_BEFORE_START),
            end: given(self.ends_at),
            sales_open: given(self.sales_opens_at),
            sales_close: given(self.sales_closes_at),
        };
        if times.start > now + MAX_AHEAD {
            return wrong(
                ("startTime", start),
                "is more than five years ahead",
                ("now", now),
            );
        }
        let to_start = ("startTime", start);
        let doors = ("doorsAt", times.doors);
        if times.doors > times.start {
            return wrong(doors, "must not be after startTime", to_start);
        }
        if times.doors < times.start - MAX_DOORS_BEFORE_START {
            return wrong(
                doors,
                "must not be more than 7 days before startTime",
                to_start,
            );
        }
        if let Some(end) = times.end.filter(|end| *end <= times.start) {
            return wrong(("endsAt", end), "must be after startTime", to_start);
        }
        if let Some(end) = times
            .end
            .filter(|end| *end > times.start + MAX_END_AFTER_START)
        {
            return wrong(
                ("endsAt", end),
                "must not be more than 14 days after startTime",
                to_start,
            );
        }
        let sale_ends = times.sales_end();
        if let Some(open) = times.sales_open.filter(|open| *open >= sale_ends) {
            let opens = ("salesOpensAt", open);
            return wrong(
                opens,
                "must be before the sale ends",
                ("the sale's end", sale_ends),
            );
        }
        Ok(times)
    }
}

impl Times {
    fn sales_end(&self) -> DateTime<Utc> {
        self.sales_close.unwrap_or(self.start)
    }

    /// Until when tickets admit. This and [`Self::facts`] are the one place where it is said.
    pub(crate) fn admits_until(&self, margins: Margins) -> DateTime<Utc> {
        self.end.unwrap_or(self.start + margins.after_start)
    }

    pub(crate) fn facts(&self, margins: Margins) -> PerformanceTimes {
        PerformanceTimes {
            start_time: self.start,
            doors_at: self.doors,
            ends_at: self.end,
            admits_from: self.doors - margins.before_doors,
            admits_until: self.admits_until(margins),
            restarts_at: None,
        }
    }
}

/// Of two times that do not fit each other, both are said: one may be a default.
fn wrong<T>(
    (field, at): (&'static str, DateTime<Utc>),
    issue: &str,
    (other, than): (&str, DateTime<Utc>),
) -> Result<T, EventError> {
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    refuse(
        field,
        &format!("{issue}; given: {}, {other}: {}", text(at), text(than)),
    )
}

fn refuse<T>(field: &'static str, issue: &str) -> Result<T, EventError> {
    Err(EventError::Invalid {
        field,
        issue: issue.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MARGINS: Margins = Margins {
        before_doors: TimeDelta::minutes(30),
        after_start: TimeDelta::hours(6),
    };

    fn now() -> DateTime<Utc> {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn planned(fields: &Value) -> PlannedTimes {
        let mut spec = json!({ "startTime": "2026-06-01T20:00:00Z" });
        let all = spec.as_object_mut().unwrap();
        all.extend(fields.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    fn refused(result: Result<Times, EventError>) -> &'static str {
        match result {
            Err(EventError::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn doors_open_an_hour_before_by_default() {
        let times = planned(&json!({})).of_new(now()).unwrap();
        assert_eq!(times.start - times.doors, TimeDelta::hours(1));
        let facts = times.facts(MARGINS);
        assert_eq!(times.doors - facts.admits_from, TimeDelta::minutes(30));
        assert_eq!(facts.admits_until - times.start, TimeDelta::hours(6));
    }

    #[test]
    fn a_planned_end_is_when_nobody_is_admitted_any_more() {
        let ends = json!({ "endsAt": "2026-06-01T22:00:00Z" });
        let times = planned(&ends).of_new(now()).unwrap();
        assert_eq!(Some(times.admits_until(MARGINS)), times.end);
    }

    /// S1
    #[test]
    fn times_must_be_in_order_and_near_the_beginning() {
        for (fields, field) in [
            (json!({ "startTime": "2026-06-01T12:00:00Z" }), "startTime"),
            (json!({ "startTime": "2036-06-01T12:00:00Z" }), "startTime"),
            (json!({ "doorsAt": "2026-06-01T20:00:01Z" }), "doorsAt"),
            (json!({ "doorsAt": "2026-05-25T19:59:59Z" }), "doorsAt"),
            (json!({ "endsAt": "2026-06-01T20:00:00Z" }), "endsAt"),
            (json!({ "endsAt": "2026-06-15T20:00:01Z" }), "endsAt"),
            (
                json!({ "salesOpensAt": "2026-06-01T20:00:00Z" }),
                "salesOpensAt",
            ),
            (
                json!({
                    "salesOpensAt": "2026-06-01T13:00:00Z", "salesClosesAt": "2026-06-01T13:00:00Z"
                }),
                "salesOpensAt",
            ),
        ] {
            assert_eq!(refused(planned(&fields).of_new(now())), field, "{fields}");
            if field != "startTime" {
                assert_eq!(refused(planned(&fields).of_moved(MARGINS, now())), field);
            }
        }
    }

    /// C08: a show that is late has begun by the clock when its organiser says so.
    #[test]
    fn a_show_may_move_to_a_time_that_has_begun_and_not_to_one_that_is_over() {
        let begun = planned(&json!({ "startTime": "2026-06-01T11:30:00Z" }));
        assert!(begun.of_moved(MARGINS, now()).is_ok());
        let over = planned(&json!({ "startTime": "2026-06-01T05:59:00Z" }));
        assert_eq!(refused(over.of_moved(MARGINS, now())), "startTime");
        let ended =
            json!({ "startTime": "2026-06-01T11:30:00Z", "endsAt": "2026-06-01T11:59:00Z" });
        assert_eq!(refused(planned(&ended).of_moved(MARGINS, now())), "endsAt");
    }
}
