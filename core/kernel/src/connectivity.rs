//! Connectivity of the servers that the core needs: one log line when a server is lost and one when
//! it is back, however many loops notice it; attempts after pauses that grow.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A server that doesn't answer within this is out of reach.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One server.
#[derive(Debug)]
pub(crate) struct Connectivity {
    what: &'static str,
    place: String,
    setting: &'static str,
    lost: AtomicBool,
}

impl Connectivity {
    /// `place` is logged, so it holds no password. `setting` is where it is configured.
    pub(crate) fn of(what: &'static str, place: String, setting: &'static str) -> Self {
        Self {
            what,
            place,
            setting,
            lost: AtomicBool::new(false),
        }
    }

    /// It can't be reached. Logged once until it is found; answers whether it was.
    pub(crate) fn lost(&self, why: impl Display) -> bool {
        let is_news = !self.lost.swap(true, Ordering::SeqCst);
        if is_news {
            let act = format!(
                "start it or correct {}; the core tries again until it answers",
                self.setting
            );
            tracing::error!(code = "server.unreachable", server = self.what, address = self.place,
                error = %why, act, "a server can not be reached");
        }
        is_news
    }

    /// It answers. Logged if it was lost; answers whether it was.
    pub(crate) fn found(&self) -> bool {
        let is_news = self.lost.load(Ordering::Relaxed) && self.lost.swap(false, Ordering::SeqCst);
        if is_news {
            tracing::info!(
                code = "server.reachable",
                server = self.what,
                address = self.place,
                "a server can be reached again"
            );
        }
        is_news
    }

    /// Whether it was out of reach when it was last asked.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }
}

/// The pauses between attempts of one loop.
#[derive(Debug)]
pub(crate) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pauses {
    /// The pause to make now; the next one is twice as long.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// It worked: the next pause is the first one.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_logged_once_until_it_is_found() {
        let connectivity =
            Connectivity::of("database", "db:5432/eventify".to_owned(), "database.url");
        assert!(!connectivity.found(), "it was never lost");
        assert_eq!(
            [connectivity.lost("refused"), connectivity.lost("refused")],
            [true, false]
        );
        assert!(connectivity.is_lost());
        assert_eq!([connectivity.found(), connectivity.found()], [true, false]);
        assert!(connectivity.lost("refused"));
    }

    #[test]
    fn pauses_grow_to_a_limit_and_begin_anew() {
        let mut pauses = Pauses::default();
        let made: Vec<_> = (0..7).map(|_| pauses.next().as_millis()).collect();
        assert_eq!(made, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        pauses.reset();
        assert_eq!(pauses.next(), FIRST_PAUSE);
    }
}
