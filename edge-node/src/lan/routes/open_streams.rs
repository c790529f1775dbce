//! The open streams of each scanner, of which it may have a few.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use eventify_protocol::ids::ScannerId;
use tokio_util::sync::CancellationToken;

use crate::lan::locked;

/// Streams of one scanner at once. One is in use. Others may be on connections that broke without the
/// node noticing, which is why the oldest ends instead of the newest being refused.
const MAX_PER_SCANNER: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct OpenStreams(Mutex<HashMap<ScannerId, VecDeque<CancellationToken>>>);

impl OpenStreams {
    /// Adds a stream. The token is cancelled when the scanner has opened too many newer ones; cancel
    /// it when the stream ends by itself.
    pub(crate) fn open(&self, scanner: ScannerId) -> CancellationToken {
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

    /// Ends all streams of a scanner.
    pub(crate) fn end(&self, scanner: ScannerId) {
        let open = locked(&self.0).remove(&scanner);
        open.into_iter().flatten().for_each(|end| end.cancel());
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_oldest_stream_of_a_scanner_ends_when_it_opens_too_many() {
        let streams = OpenStreams::default();
        let [ada, bob] = [1, 2].map(|id| ScannerId(Uuid::from_u128(id)));
        let others = streams.open(bob);
        let open: Vec<_> = (0..=MAX_PER_SCANNER).map(|_| streams.open(ada)).collect();
        let ended: Vec<_> = open.iter().map(CancellationToken::is_cancelled).collect();
        assert_eq!(ended, [true, false, false, false, false]);
        assert!(!others.is_cancelled());
        open.iter().for_each(CancellationToken::cancel);
        others.cancel();
        let last = streams.open(ada);
        assert_eq!(locked(&streams.0).len(), 1, "what ended takes no memory");
        streams.end(ada);
        assert!(last.is_cancelled() && locked(&streams.0).is_empty());
    }
}
