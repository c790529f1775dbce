//! Identity providers: which of them stand for the same users and organisations.
//!
//! A provider that has moved is another issuer to everybody: its address is in each token. That it is the
//! same is somebody's word, in the settings (`succeeds`), and written down: what was joined stays so.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Begins an organisation's id that stands behind its issuer's.
const QUALIFIED: &str = "iss_";

/// One of them, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issuer {
    pub(crate) iss: String,
    pub(crate) issuer_id: Uuid,
    pub(crate) is_first: bool,
    pub(crate) succeeds: Option<String>,
    pub(crate) known_since: DateTime<Utc>,
    pub(crate) vanished_at: Option<DateTime<Utc>>,
}

/// All that were ever trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Issuers(BTreeMap<String, Issuer>);

/// What a declaration comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    /// It is written down already, or there is nothing to it.
    Known,
    /// To be written.
    New(Issuer),
    /// That issuer was never trusted here.
    OfNobody,
    /// Another one is written down, and stays.
    Otherwise(String),
}

impl Issuers {
    pub(crate) fn new(rows: Vec<Issuer>) -> Self {
        Self(rows.into_iter().map(|it| (it.iss.clone(), it)).collect())
    }

    pub(crate) fn find(&self, iss: &str) -> Option<&Issuer> {
        self.0.get(iss)
    }

    pub(crate) fn insert(&mut self, issuer: Issuer) {
        self.0.insert(issuer.iss.clone(), issuer);
    }

    /// A new one, which is the first only if there is none.
    pub(crate) fn make(&self, iss: &str, issuer_id: Uuid, now: DateTime<Utc>) -> Issuer {
        Issuer {
            iss: iss.to_owned(),
            issuer_id,
            is_first: self.0.is_empty(),
            succeeds: None,
            known_since: now,
            vanished_at: None,
        }
    }

    /// What it means that one issuer takes another's place.
    pub(crate) fn declare(&self, iss: &str, succeeds: &str) -> Declared {
        let Some((issuer, before)) = self.find(iss).zip(self.find(succeeds)) else {
            return Declared::OfNobody;
        };
        // A provider that moves back, too.
        if self.origin(issuer) == self.origin(before) {
            return Declared::Known;
        }
        match &issuer.succeeds {
            Some(other) => Declared::Otherwise(other.clone()),
            None => Declared::New(Issuer {
                succeeds: Some(succeeds.to_owned()),
                ..issuer.clone()
            }),
        }
    }

    /// Those that stand for the same users, the oldest first: what they own counts.
    pub(crate) fn line_of(&self, iss: &str) -> Vec<&Issuer> {
        let Some(origin) = self.find(iss).map(|it| self.origin(it)) else {
            return Vec::new();
        };
        let mut line: Vec<_> = self.0.values().collect();
        line.retain(|it| self.origin(it) == origin);
        line.sort_by_key(|it| (it.iss != origin.iss, it.known_since, &it.iss));
        line
    }

    /// An organisation's id in rows: no two issuers' are the same, whatever they call it.
    pub(crate) fn org_id(&self, iss: &str, org: &str) -> Option<String> {
        let line = self.line_of(iss);
        let is_plain = line.iter().any(|it| it.is_first) && !org.starts_with(QUALIFIED);
        match (is_plain, line.first()) {
            (true, _) => Some(org.to_owned()),
            (false, Some(origin)) => {
                Some(format!("{QUALIFIED}{}:{org}", origin.issuer_id.simple()))
            }
            (false, None) => None,
        }
    }

    /// Whose users can't sign in any more: nobody trusts them, nor who took their place. The last one of
    /// each line.
    pub(crate) fn list_vanished(&self, is_trusted: impl Fn(&str) -> bool) -> Vec<&Issuer> {
        let mut ends: Vec<_> = self.0.values().collect();
        ends.retain(|end| {
            let line = self.line_of(&end.iss);
            line.last() == Some(end) && !line.iter().any(|it| is_trusted(&it.iss))
        });
        ends
    }

    /// Those that are noted as vanished.
    pub(crate) fn list_noted(&self) -> impl Iterator<Item = &Issuer> {
        self.0.values().filter(|it| it.vanished_at.is_some())
    }

    fn origin<'a>(&'a self, issuer: &'a Issuer) -> &'a Issuer {
        let mut origin = issuer;
        // At most once over each: a circle is never written.
        for _ in 0..self.0.len() {
            match origin.succeeds.as_deref().and_then(|it| self.find(it)) {
                Some(before) => origin = before,
                None => break,
            }
        }
        origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuers(names: &[&str]) -> Issuers {
        let mut all = Issuers::default();
        for (number, name) in (0_u32..).zip(names) {
            let at = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(number.into());
            all.insert(all.make(name, Uuid::from_u128(number.into()), at));
        }
        all
    }

    fn joined(mut all: Issuers, iss: &str, succeeds: &str) -> Issuers {
        let Declared::New(row) = all.declare(iss, succeeds) else {
            panic!("{iss} after {succeeds}");
        };
        all.insert(row);
        all
    }

    fn names<'a>(line: &[&'a Issuer]) -> Vec<&'a str> {
        line.iter().map(|it| it.iss.as_str()).collect()
    }

    /// C15: never joined silently.
    #[test]
    fn an_issuer_stands_for_itself_until_somebody_says_otherwise() {
        let two = issuers(&["old", "new"]);
        assert_eq!(names(&two.line_of("new")), ["new"]);
        let moved = joined(two, "new", "old");
        assert_eq!(names(&moved.line_of("new")), ["old", "new"]);
        assert_eq!(names(&moved.line_of("old")), ["old", "new"]);
        assert!(moved.line_of("unknown").is_empty());
    }

    #[test]
    fn what_is_written_down_stays() {
        let all = joined(issuers(&["old", "new", "other"]), "new", "old");
        assert_eq!(all.declare("new", "old"), Declared::Known);
        assert_eq!(all.declare("old", "new"), Declared::Known, "it moved back");
        assert_eq!(
            all.declare("new", "other"),
            Declared::Otherwise("old".to_owned())
        );
        assert_eq!(all.declare("other", "typo"), Declared::OfNobody);
        let all = joined(all, "other", "new");
        assert_eq!(names(&all.line_of("old")), ["old", "new", "other"]);
    }

    /// S19: equal ids of two issuers are two organisations.
    #[test]
    fn an_organisation_belongs_to_its_issuer() {
        let all = issuers(&["first", "second"]);
        assert_eq!(all.org_id("first", "opera").unwrap(), "opera");
        let of_second = all.org_id("second", "opera").unwrap();
        assert_ne!(of_second, "opera");
        let forged = all.org_id("first", &of_second).unwrap();
        assert_ne!(forged, of_second, "whatever the first one writes");
        let moved = joined(all, "second", "first");
        assert_eq!(moved.org_id("second", "opera").unwrap(), "opera");
        let moved_to_first = joined(issuers(&["first", "second"]), "first", "second");
        let [a, b] = ["first", "second"].map(|it| moved_to_first.org_id(it, "opera").unwrap());
        assert_eq!((a.as_str(), b.as_str()), ("opera", "opera"));
        assert_eq!(moved.org_id("unknown", "opera"), None);
    }

    #[test]
    fn an_issuer_has_vanished_when_nobody_of_its_line_is_trusted() {
        let all = joined(issuers(&["old", "new", "other"]), "new", "old");
        let vanished = |trusted: &[&str]| names(&all.list_vanished(|it| trusted.contains(&it)));
        assert!(vanished(&["new", "other"]).is_empty());
        assert!(vanished(&["old", "other"]).is_empty());
        assert_eq!(vanished(&["new"]), ["other"]);
        assert_eq!(vanished(&["other"]), ["new"], "once, by its last name");
    }
}
