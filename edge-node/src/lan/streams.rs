//! Open streams of each scanner: a few, and the newest are the ones that are listened to.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use eventify_protocol::ids::ScannerId;
use tokio_util::sync::CancellationToken;

use super::locked;

/// Streams of one scanner at once. One is in use; others may be of connections that broke and don't
/// know it yet, which is why the oldest ends and not the newest is refused.
const MAX_PER_SCANNER: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<HashMap<ScannerId, VecDeque<CancellationToken>>>);

impl Streams {
    /// A new stream's end: cancelled when there are newer ones enough. Cancel it when the stream
    /// ends by itself.
    pub(super) fn open(&self, scanner: ScannerId) -> CancellationToken {
        let mut all = locked(&self.0);
        all.retain(|_, open| {
            open.retain(|end| !end.is_cancelled());
            !open.is_empty()
        });
        let open = all.entry(scanner).or_default();
        if open.len() >= MAX_PER_SCANNER
            && let Some(oldest) = open.pop_front()
        {
            oldest.cancel();
        }
        let end = CancellationToken::new();
        open.push_back(end.clone());
        end
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_oldest_stream_of_a_scanner_ends_when_it_opens_too_many() {
        let streams = Streams::default();
        let [ada, bob] = [1, 2].map(|id| ScannerId(Uuid::from_u128(id)));
        let others = streams.open(bob);
        let open: Vec<_> = (0..=MAX_PER_SCANNER).map(|_| streams.open(ada)).collect();
        let ended: Vec<_> = open.iter().map(CancellationToken::is_cancelled).collect();
        assert_eq!(ended, [true, false, false, false, false]);
        assert!(!others.is_cancelled());
        open.iter().for_each(CancellationToken::cancel);
        others.cancel();
        streams.open(ada);
        assert_eq!(locked(&streams.0).len(), 1, "what ended takes no memory");
    }
}
