//! Seat maps that are kept: which is good for whom, and which goes when the memory is full.

use std::time::{Duration, Instant};

use eventify_kernel::kept::Kept;
use eventify_protocol::ids::PerformanceId;

/// Memory for all maps of a process.
const MAX_BYTES: usize = 64 << 20;
/// Maps with fewer seats are made anew for each version.
const LARGE: usize = 2_000;
/// A large map is good for so long for each of its seats, whatever changes: a stadium's a second.
const GOOD_FOR_A_SEAT: Duration = Duration::from_micros(20);

/// What a map shows. The sale opens and closes without a change of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MapVersion {
    pub(crate) number: i64,
    pub(crate) on_sale: bool,
}

/// A map to keep.
#[derive(Clone, Debug)]
pub(crate) struct Made<M> {
    pub(crate) map: M,
    pub(crate) version: MapVersion,
    pub(crate) seats: usize,
    pub(crate) bytes: usize,
    pub(crate) at: Instant,
}

/// What is kept of a performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found<M> {
    Good(M),
    /// It is to be made anew; who can't do that has this one.
    Outdated(M),
    Nothing,
}

/// The kept maps; those that nobody asked for longest go first.
#[derive(Clone, Debug)]
pub(crate) struct SeatMaps<M>(Kept<PerformanceId, Made<M>>);

impl<M> Default for SeatMaps<M> {
    fn default() -> Self {
        Self(Kept::at_most(MAX_BYTES))
    }
}

impl<M: Clone> SeatMaps<M> {
    /// What is kept for who wants this version. A small map that is outdated is nothing: making it
    /// costs no more than asking for it.
    pub(crate) fn find(&mut self, id: PerformanceId, wanted: MapVersion, now: Instant) -> Found<M> {
        let Some(made) = self.0.find(id) else {
            return Found::Nothing;
        };
        if made.version == wanted {
            return Found::Good(made.map.clone());
        }
        if made.seats < LARGE {
            return Found::Nothing;
        }
        let seats = u32::try_from(made.seats).unwrap_or(u32::MAX);
        if now < made.at + GOOD_FOR_A_SEAT * seats {
            Found::Good(made.map.clone())
        } else {
            Found::Outdated(made.map.clone())
        }
    }

    pub(crate) fn insert(&mut self, id: PerformanceId, made: Made<M>) {
        let bytes = made.bytes;
        self.0.insert(id, made, bytes);
    }
}

#[cfg(test)]
mod tests {
    use eventify_kernel::clock::Clock;
    use uuid::Uuid;

    use super::*;

    fn hall(number: u128) -> PerformanceId {
        PerformanceId(Uuid::from_u128(number))
    }

    fn version(number: i64) -> MapVersion {
        MapVersion {
            number,
            on_sale: true,
        }
    }

    fn made(map: &'static str, seats: usize, bytes: usize, at: Instant) -> Made<&'static str> {
        Made {
            map,
            version: version(1),
            seats,
            bytes,
            at,
        }
    }

    #[test]
    fn a_small_hall_shows_what_is_so_and_a_stadium_what_was_so_a_second_ago() {
        let (mut maps, start) = (SeatMaps::default(), Clock::system().instant());
        maps.insert(hall(1), made("club", 1_999, 1, start));
        maps.insert(hall(2), made("stadium", 50_000, 1, start));
        let later = start + Duration::from_millis(999);
        assert_eq!(maps.find(hall(1), version(1), later), Found::Good("club"));
        assert_eq!(maps.find(hall(1), version(2), later), Found::Nothing);
        assert_eq!(
            maps.find(hall(2), version(2), later),
            Found::Good("stadium")
        );
        let after = start + Duration::from_secs(1);
        assert_eq!(
            maps.find(hall(2), version(1), after),
            Found::Good("stadium")
        );
        assert_eq!(
            maps.find(hall(2), version(2), after),
            Found::Outdated("stadium")
        );
        let closed = MapVersion {
            on_sale: false,
            ..version(1)
        };
        assert_eq!(maps.find(hall(1), closed, start), Found::Nothing);
        assert_eq!(maps.find(hall(3), version(1), start), Found::Nothing);
    }

    #[test]
    fn the_memory_is_for_those_that_are_asked_for() {
        let (mut maps, start) = (SeatMaps::default(), Clock::system().instant());
        maps.insert(hall(1), made("one", 1, MAX_BYTES / 2, start));
        maps.insert(hall(2), made("two", 1, MAX_BYTES / 2, start));
        assert_eq!(maps.find(hall(1), version(1), start), Found::Good("one"));
        maps.insert(hall(3), made("three", 1, MAX_BYTES / 2, start));
        assert_eq!(maps.find(hall(1), version(1), start), Found::Good("one"));
        assert_eq!(maps.find(hall(2), version(1), start), Found::Nothing);
        assert_eq!(maps.find(hall(3), version(1), start), Found::Good("three"));
        maps.insert(hall(4), made("larger than all", 1, 2 * MAX_BYTES, start));
        assert_eq!(
            maps.find(hall(4), version(1), start),
            Found::Good("larger than all")
        );
    }
}
