use uuid::{Builder, Uuid};

use crate::io::Now;

/// Makes ids (UUID version 7) of the moment and its randomness.
#[derive(Debug, Default)]
pub(super) struct Ids(u16);

impl Ids {
    pub(super) fn next(&mut self, now: Now) -> Uuid {
        // Two can be made in one moment.
        self.0 = self.0.wrapping_add(1);
        let mut random = [0; 10];
        random.copy_from_slice(&now.random[..10]);
        for (byte, count) in random.iter_mut().zip(self.0.to_be_bytes()) {
            *byte ^= count;
        }
        Builder::from_unix_timestamp_millis(now.wall_ms(), &random).into_uuid()
    }
}
