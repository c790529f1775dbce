//! Looking through the replica. Names are opened one by one, compared and dropped again; there is no list of
//! them in memory.

use std::collections::BTreeMap;

use eventify_protocol::{
    ids::{PerformanceId, TicketId},
    lan::{MAX_MATCHES, Match, MatchState, SearchBy, ShownTicket},
    sync::{
        FeedEntry, Holder, HolderEntry, HolderKey, PerformanceEntry, PerformanceState, Subject,
        TicketEntry, TicketState, Value,
    },
    verdict::FirstEntry,
};

use super::words::{NameQuery, order_digits, place, sort_key};
use crate::{
    owner::Insight,
    store::{Reader, StoreError},
};

/// What is looked for.
#[derive(Clone)]
pub(in crate::lan) struct Query {
    pub(in crate::lan) by: SearchBy,
    pub(in crate::lan) text: String,
    pub(in crate::lan) performance: Option<PerformanceId>,
}

eventify_protocol::debug_without_secrets! {
    Query { by, performance },
}

/// Who was found.
#[derive(Debug)]
pub(in crate::lan) struct Found {
    pub(in crate::lan) matches: Vec<Match>,
    pub(in crate::lan) more: bool,
}

/// A ticket that fits, before it is described.
struct Hit {
    ticket: TicketId,
    entry: TicketEntry,
    holder: Option<Holder>,
}

/// Finds guests, of one moment.
pub(in crate::lan) fn find(
    reader: &Reader,
    insight: &Insight,
    query: &Query,
) -> Result<Found, StoreError> {
    reader.at_once(|reader| {
        let search = Search::new(insight, query);
        let mut hits = match query.by {
            SearchBy::Name => {
                let wanted = NameQuery::new(&query.text);
                let is_it =
                    |holder: &Holder| holder.name.as_deref().is_some_and(|it| wanted.finds(it));
                search.by_holder(reader, is_it)?
            }
            SearchBy::Order => match order_digits(&query.text) {
                Some(digits) => search.by_holder(reader, |holder| {
                    let number = holder.order.as_uuid().simple().to_string();
                    number.ends_with(&digits)
                })?,
                None => Vec::new(),
            },
            SearchBy::Seat => search.by_place(reader, &place(&query.text))?,
        };
        hits.sort_by_cached_key(|hit| {
            let name = hit
                .holder
                .as_ref()
                .and_then(|holder| holder.name.as_deref());
            let place = hit.entry.place.clone();
            (name.is_none(), name.map(sort_key), place, hit.ticket)
        });
        let more = hits.len() > MAX_MATCHES;
        hits.truncate(MAX_MATCHES);
        let small = reader.list_small_here()?;
        let matches = hits.into_iter().map(|hit| describe(hit, insight, &small));
        Ok(Found {
            matches: matches.collect(),
            more,
        })
    })
}

struct Search<'a> {
    /// Those that are searched, with their keys where the node has them.
    performances: BTreeMap<PerformanceId, Option<&'a HolderKey>>,
}

impl<'a> Search<'a> {
    fn new(insight: &'a Insight, query: &Query) -> Self {
        let around = insight.status.performances.iter();
        let wanted = around
            .map(|performance| performance.performance_id)
            .filter(|id| query.performance.is_none_or(|only| only == *id));
        let key_of = |id: PerformanceId| {
            let keys = insight.holder_keys.iter();
            keys.filter(|key| key.performance == id)
                .map(|key| &key.key)
                .next()
        };
        Self {
            performances: wanted.map(|id| (id, key_of(id))).collect(),
        }
    }

    fn open(&self, ticket: TicketId, version: u64, entry: &HolderEntry) -> Option<Holder> {
        let key = (*self.performances.get(&entry.performance)?)?;
        key.open((ticket, version), &entry.sealed).ok()
    }

    fn by_holder(
        &self,
        reader: &Reader,
        is_it: impl Fn(&Holder) -> bool,
    ) -> Result<Vec<Hit>, StoreError> {
        let mut found = Vec::new();
        reader.each_holder(|ticket, version, entry| {
            if let Some(holder) = self.open(ticket, version, entry).filter(&is_it) {
                found.push((ticket, holder));
            }
        })?;
        let mut hits = Vec::new();
        for (ticket, holder) in found {
            let (_, entry) = reader.find_ticket(ticket)?;
            let is_searched = |it: &TicketEntry| self.performances.contains_key(&it.performance);
            if let Some(entry) = entry.filter(is_searched) {
                hits.push(Hit {
                    ticket,
                    entry,
                    holder: Some(holder),
                });
            }
        }
        Ok(hits)
    }

    /// The seat itself; if there is none, those whose names begin or end so.
    fn by_place(&self, reader: &Reader, wanted: &str) -> Result<Vec<Hit>, StoreError> {
        let (mut same, mut alike) = (Vec::new(), Vec::new());
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        reader.each_ticket(|ticket, entry| {
            let Some(name) = entry.place.as_deref().map(place) else {
                return;
            };
            if !self.performances.contains_key(&entry.performance) {
                return;
            }
            if name == wanted {
                same.push((ticket, entry));
            } else if name.starts_with(wanted) || name.ends_with(wanted) {
                alike.push((ticket, entry));
            }
        })?;
        let found = if same.is_empty() { alike } else { same };
        let mut hits = Vec::new();
        for (ticket, entry) in found {
            let sealed = reader.find_holder(ticket)?;
            let holder = sealed.and_then(|(version, it)| self.open(ticket, version, &it));
            hits.push(Hit {
                ticket,
                entry,
                holder,
            });
        }
        Ok(hits)
    }
}

fn describe(hit: Hit, insight: &Insight, small: &[FeedEntry]) -> Match {
    let performance = performance(small, hit.entry.performance);
    let own = insight.admissions.iter().find(|(it, _)| *it == hit.ticket);
    let is_cancelled = performance.is_some_and(|it| it.state == PerformanceState::Cancelled);
    let (state, first) = match (hit.entry.state, own) {
        (TicketState::Revoked | TicketState::Suspended, _) => (MatchState::Revoked, None),
        _ if is_cancelled => (MatchState::Revoked, None),
        (_, Some((_, first))) => (MatchState::Used, Some(*first)),
        (TicketState::Used(by), None) => {
            let first = FirstEntry {
                gate: by.gate,
                at: by.at,
                confirmed: by.confirmed,
            };
            (MatchState::Used, Some(first))
        }
        (TicketState::Valid, None) => (MatchState::Valid, None),
    };
    let first_gate_name = first.and_then(|first| gate_name(small, first));
    let category = hit.entry.category;
    Match {
        ticket_id: hit.ticket,
        ticket: ShownTicket {
            performance_id: hit.entry.performance,
            title: performance.map(|it| it.title.clone()),
            starts_at: performance.map(|it| it.starts_at),
            category,
            category_name: performance
                .and_then(|it| it.category_name(category))
                .map(str::to_owned),
            place: hit.entry.place,
        },
        name: hit.holder.as_ref().and_then(|holder| holder.name.clone()),
        order: hit.holder.as_ref().map(|holder| holder.order.to_string()),
        state,
        first,
        first_gate_name,
    }
}

fn performance(small: &[FeedEntry], id: PerformanceId) -> Option<&PerformanceEntry> {
    small.iter().find_map(|entry| match &entry.value {
        Some(Value::Performance(it)) if entry.subject == Subject::Performance(id) => Some(it),
        _ => None,
    })
}

fn gate_name(small: &[FeedEntry], first: FirstEntry) -> Option<String> {
    small.iter().find_map(|entry| match &entry.value {
        Some(Value::Gate(it)) if entry.subject == Subject::Gate(first.gate) => {
            Some(it.name.clone())
        }
        _ => None,
    })
}
