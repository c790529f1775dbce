//! Random values drawn from 32 random bytes of the operating system: SHA-256 in counter mode. The
//! same bytes give the same values, so that a run can be repeated.

use eventify_protocol::{
    hash::Hash32,
    ids::{IncarnationId, MessageId, SessionId},
    sync::Nonce,
    time::WallTime,
};
use sha2::{Digest as _, Sha256};
use uuid::Builder;

#[derive(Debug)]
pub(super) struct Random {
    seed: [u8; 32],
    counter: u64,
}

impl Random {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    pub(super) fn nonce(&mut self) -> Nonce {
        Nonce(self.draw())
    }

    /// Version 7: the wall clock only makes it sortable.
    pub(super) fn message_id(&mut self, wall: WallTime) -> MessageId {
        let millis = u64::try_from(wall.0 / 1_000).unwrap_or(0);
        MessageId(Builder::from_unix_timestamp_millis(millis, &self.draw()).into_uuid())
    }

    pub(super) fn session(&mut self) -> SessionId {
        SessionId(Builder::from_random_bytes(self.draw()).into_uuid())
    }

    pub(super) fn incarnation(&mut self) -> IncarnationId {
        IncarnationId(Builder::from_random_bytes(self.draw()).into_uuid())
    }

    pub(super) fn number(&mut self) -> u32 {
        u32::from_be_bytes(self.draw())
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        u64::from_be_bytes(self.draw()) % end.max(1)
    }

    fn draw<const N: usize>(&mut self) -> [u8; N] {
        self.counter += 1;
        let block = Sha256::new()
            .chain_update(self.seed)
            .chain_update(self.counter.to_be_bytes())
            .finalize();
        let Hash32(block) = Hash32(block.into());
        std::array::from_fn(|index| block[index])
    }
}
