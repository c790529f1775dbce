//! Looking for guests (`ADMISSION` 11): how often a person may, and the answers of the last moment, so that one
//! that was lost on the way is given again without another row.
//!
//! | file | what |
//! |---|---|
//! | `find` | looking through the replica |
//! | `words` | how names, orders and seats are compared |

mod find;
mod words;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use eventify_protocol::{
    hash::Hash32,
    ids::{PersonId, SearchId},
    lan::SearchAnswer,
    time::BootTime,
};

use tokio::time::interval;

use super::{Lan, locked};

pub(super) use find::{Query, find};

/// Searches of a person within an hour: two a minute at a busy door, and no reading of the whole list.
pub(super) const SEARCHES_AN_HOUR: usize = 120;
const HOUR: Duration = Duration::from_secs(3_600);
/// How long an answer can be asked for again.
const REPEATED_FOR: Duration = Duration::from_secs(30);
/// How often it is looked which ones are older.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Answers that are kept for that.
const MAX_ANSWERS: usize = 64;
/// People who searched within the hour; more are not at one node.
const MAX_PEOPLE: usize = 1_024;

/// What is remembered of searches.
#[derive(Debug, Default)]
pub(super) struct Searches {
    by_person: BTreeMap<PersonId, VecDeque<BootTime>>,
    answers: VecDeque<Answered>,
}

#[derive(Debug)]
struct Answered {
    search: SearchId,
    /// Of the whole request, with its scanner.
    request: Hash32,
    at: BootTime,
    answer: SearchAnswer,
}

/// What becomes of a search.
#[derive(Debug)]
pub(super) enum Begun {
    Search,
    /// It was answered just now.
    Answered(Box<SearchAnswer>),
    /// Its id was used for another one.
    IdReused,
    /// This person has searched too often: how long until they may again.
    TooMany(Duration),
}

impl Searches {
    /// A search comes; one that is begun counts.
    pub(super) fn begin(
        &mut self,
        (search, request): (SearchId, Hash32),
        person: PersonId,
        now: BootTime,
    ) -> Begun {
        self.forget(now);
        if let Some(known) = self.answers.iter().find(|it| it.search == search) {
            if known.request == request && known.answer.person_id == person {
                return Begun::Answered(Box::new(known.answer.clone()));
            }
            return Begun::IdReused;
        }
        if self.by_person.len() >= MAX_PEOPLE && !self.by_person.contains_key(&person) {
            return Begun::TooMany(HOUR);
        }
        let times = self.by_person.entry(person).or_default();
        if let Some(first) = times.front().filter(|_| times.len() >= SEARCHES_AN_HOUR) {
            return Begun::TooMany(first.plus(HOUR).since(now));
        }
        times.push_back(now);
        Begun::Search
    }

    pub(super) fn answered(&mut self, request: Hash32, answer: &SearchAnswer, now: BootTime) {
        if self.answers.len() >= MAX_ANSWERS {
            self.answers.pop_front();
        }
        self.answers.push_back(Answered {
            search: answer.search_id,
            request,
            at: now,
            answer: answer.clone(),
        });
    }

    fn forget(&mut self, now: BootTime) {
        self.answers.retain(|it| now.since(it.at) < REPEATED_FOR);
        for times in self.by_person.values_mut() {
            while times.front().is_some_and(|at| now.since(*at) >= HOUR) {
                times.pop_front();
            }
        }
        self.by_person.retain(|_, times| !times.is_empty());
    }
}

/// Names are kept no longer than an answer may be lost, whether or not somebody searches again. Until the node
/// stops.
pub(crate) async fn forget(lan: Arc<Lan>) {
    let stop = lan.stop.clone();
    let forgetting = forget_each(&lan.searches, LOOK_EVERY, || lan.clock.boottime());
    stop.run_until_cancelled(forgetting).await;
}

async fn forget_each(searches: &Mutex<Searches>, every: Duration, now: impl Fn() -> BootTime) {
    let mut looks = interval(every);
    loop {
        looks.tick().await;
        locked(searches).forget(now());
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod full_hall;

#[cfg(test)]
mod tests {
    use tokio::time::timeout;
    use uuid::Uuid;

    use super::*;

    const ADA: PersonId = PersonId(Uuid::from_u128(1));
    const BOB: PersonId = PersonId(Uuid::from_u128(2));

    fn at(seconds: u64) -> BootTime {
        BootTime(9_000_000_000_000).plus(Duration::from_secs(seconds))
    }

    fn search(number: u128) -> (SearchId, Hash32) {
        let id = SearchId(Uuid::from_u128(number));
        (id, Hash32::of(&number.to_be_bytes()))
    }

    fn answer(search: SearchId) -> SearchAnswer {
        SearchAnswer {
            search_id: search,
            person_id: ADA,
            matches: vec![],
            more: false,
            cache_age_ms: None,
        }
    }

    #[test]
    fn a_person_searches_so_often_an_hour_and_nobody_else_pays() {
        let mut searches = Searches::default();
        for number in 0..SEARCHES_AN_HOUR as u128 {
            assert!(matches!(
                searches.begin(search(number), ADA, at(5)),
                Begun::Search
            ));
        }
        let Begun::TooMany(wait) = searches.begin(search(900), ADA, at(65)) else {
            panic!("one too many")
        };
        assert_eq!(wait, Duration::from_secs(3_540));
        assert!(matches!(
            searches.begin(search(901), BOB, at(65)),
            Begun::Search
        ));
        assert!(matches!(
            searches.begin(search(902), ADA, at(3_605)),
            Begun::Search
        ));
    }

    #[test]
    fn a_lost_answer_is_given_again_and_not_counted_twice() {
        let mut searches = Searches::default();
        let (id, request) = search(1);
        assert!(matches!(
            searches.begin((id, request), ADA, at(0)),
            Begun::Search
        ));
        searches.answered(request, &answer(id), at(1));
        assert!(matches!(
            searches.begin((id, request), ADA, at(2)),
            Begun::Answered(_)
        ));
        let other = (id, Hash32::of(b"another"));
        assert!(matches!(searches.begin(other, ADA, at(2)), Begun::IdReused));
        assert!(matches!(
            searches.begin((id, request), BOB, at(2)),
            Begun::IdReused
        ));
        assert_eq!(searches.by_person[&ADA].len(), 1);
        searches.forget(at(31));
        assert!(searches.answers.is_empty(), "no name stays");
    }

    #[tokio::test]
    async fn nobody_has_to_search_again_for_names_to_go() {
        let searches = Mutex::new(Searches::default());
        let (id, request) = search(1);
        locked(&searches).answered(request, &answer(id), at(0));
        let forgotten = async {
            while !locked(&searches).answers.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let running = async {
            tokio::select! {
                () = forget_each(&searches, Duration::from_millis(1), || at(31)) => {}
                () = forgotten => {}
            }
        };
        timeout(Duration::from_secs(30), running)
            .await
            .expect("names stay");
    }
}
