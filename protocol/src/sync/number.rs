//! Numbers that count entries and rows. Each is a row of a database, so none is 2^63 or more: one that is
//! comes of a fault or of malice, and its message is malformed. Who reads it may add one to it.

use minicbor::decode::Error;
use minicbor::encode::{self, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::Position;

/// The largest that a database counts.
const MAX_NUMBER: u64 = i64::MAX.cast_unsigned();

pub(super) fn encode<C, W: Write>(
    number: &u64,
    to: &mut Encoder<W>,
    _: &mut C,
) -> Result<(), encode::Error<W::Error>> {
    to.u64(*number)?.ok()
}

pub(super) fn decode<C>(from: &mut Decoder<'_>, _: &mut C) -> Result<u64, Error> {
    let at = from.position();
    let number = from.u64()?;
    if number > MAX_NUMBER {
        return Err(Error::message("a number that no database counts").at(at));
    }
    Ok(number)
}

impl<C> Encode<C> for Position {
    fn encode<W: Write>(
        &self,
        to: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encode(&self.0, to, ctx)
    }
}

impl<'b, C> Decode<'b, C> for Position {
    fn decode(from: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, Error> {
        decode(from, ctx).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::hash::Hash32;
    use crate::ids::IncarnationId;
    use crate::sync::{Delta, Epoch, JournalAck, JournalHead};

    fn is_read<T: Encode<()> + for<'b> Decode<'b, ()>>(value: &T) -> bool {
        minicbor::decode::<T>(&minicbor::to_vec(value).unwrap()).is_ok()
    }

    /// A broker's word about these is not signed; a node ended with a panic when it wrote them down.
    #[test]
    fn positions_and_rows_that_no_database_counts_are_malformed() {
        let epoch = Epoch {
            system: u64::MAX,
            timeline: 1,
        };
        let incarnation = IncarnationId(Uuid::nil());
        for (number, is_good) in [
            (0, true),
            (MAX_NUMBER, true),
            (MAX_NUMBER + 1, false),
            (u64::MAX, false),
        ] {
            let position = Position(number);
            assert_eq!(is_read(&position), is_good, "{number}");
            let hash = Hash32::ZERO;
            let head = JournalHead {
                incarnation,
                seq: number,
                hash,
            };
            assert_eq!(is_read(&head), is_good, "{number}");
            let ack = |seq, position| JournalAck {
                incarnation,
                seq,
                hash,
                position,
                epoch,
            };
            assert_eq!(is_read(&ack(number, Position(0))), is_good, "{number}");
            assert_eq!(is_read(&ack(0, position)), is_good, "{number}");
            for (from, to) in [(Position(0), position), (position, Position(0))] {
                let delta = Delta {
                    epoch,
                    from,
                    to,
                    entries: vec![],
                };
                assert_eq!(is_read(&delta), is_good, "{number}");
            }
        }
    }
}
