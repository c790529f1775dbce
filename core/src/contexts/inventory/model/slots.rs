//! A zone's capacity is split over slots, so that a popular zone is not one row lock (DECISIONS 2).
//!
//! A hold tries one slot, chosen by its id. When that one has too little left, it locks all slots
//! of the zone in order and gathers: the last unit is found in whichever slot it is.

use eventify_protocol::ids::HoldId;

/// Most slots of one zone: about as many transactions as can run at once.
const MAX_SLOTS: u32 = 16;
/// A smaller slot would be too small for too many holds.
const MIN_UNITS_PER_SLOT: u32 = 32;

/// One row of `bucket_slots`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) slot: i16,
    pub(crate) capacity: u32,
    pub(crate) reserved: u32,
}

/// Units taken from a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) slot: i16,
    pub(crate) quantity: u32,
}

/// More is reserved than the new capacity holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reserved} units are held or sold already")]
pub(crate) struct BelowReserved {
    pub(crate) reserved: u32,
}

/// A new zone's slots.
pub(crate) fn split(capacity: u32) -> Vec<Slot> {
    let count = (capacity / MIN_UNITS_PER_SLOT).clamp(1, MAX_SLOTS);
    (0..count)
        .map(|index| Slot {
            slot: i16::try_from(index).expect("at most MAX_SLOTS"),
            capacity: capacity / count + u32::from(index < capacity % count),
            reserved: 0,
        })
        .collect()
}

/// The slot that a hold tries first: spread evenly by the random end of its id.
pub(crate) fn first_choice(hold: HoldId, slots: u32) -> i16 {
    let random = hold.as_uuid().as_u128() & u128::from(u32::MAX);
    i16::try_from(random % u128::from(slots.max(1))).unwrap_or(0)
}

/// Takes units from the first slots that have some; `None` when all slots together have too few.
pub(crate) fn gather(slots: &[Slot], wanted: u32) -> Option<Vec<Taken>> {
    let mut missing = wanted;
    let mut taken = Vec::new();
    for slot in slots {
        let quantity = slot.free().min(missing);
        if quantity > 0 {
            taken.push(Taken {
                slot: slot.slot,
                quantity,
            });
            missing -= quantity;
        }
    }
    (missing == 0).then_some(taken)
}

/// Spreads a new capacity over existing slots; reserved units stay where they are.
pub(crate) fn resize(slots: &[Slot], capacity: u32) -> Result<Vec<Slot>, BelowReserved> {
    let reserved = slots.iter().map(|slot| slot.reserved).sum();
    let Some(mut free) = capacity.checked_sub(reserved) else {
        return Err(BelowReserved { reserved });
    };
    let mut left = u32::try_from(slots.len()).unwrap_or(u32::MAX);
    let resized = slots.iter().map(|slot| {
        let share = free.div_ceil(left);
        (free, left) = (free - share, left - 1);
        Slot {
            capacity: slot.reserved + share,
            ..*slot
        }
    });
    Ok(resized.collect())
}

impl Slot {
    pub(crate) fn free(self) -> u32 {
        self.capacity.saturating_sub(self.reserved)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn capacity(slots: &[Slot]) -> u32 {
        slots.iter().map(|slot| slot.capacity).sum()
    }

    #[test]
    fn a_small_zone_is_one_row_and_a_large_one_sixteen() {
        let counts = [1, 63, 64, 1000, 100_000].map(|capacity| split(capacity).len());
        assert_eq!(counts, [1, 1, 2, 16, 16]);
    }

    #[test]
    fn holds_spread_over_all_slots() {
        let mut met = [0; 16];
        for id in 0..1600_u128 {
            met[usize::try_from(first_choice(HoldId(Uuid::from_u128(id)), 16)).unwrap()] += 1;
        }
        assert_eq!(met, [100; 16]);
    }

    proptest! {
        #[test]
        fn splitting_loses_nothing(units in 1..=100_000_u32) {
            prop_assert_eq!(capacity(&split(units)), units);
        }

        #[test]
        fn gathering_takes_exactly_what_was_wanted_or_nothing(
            slots in prop::collection::vec((0..50_u32, 0..50_u32), 1..16),
            wanted in 1..600_u32,
        ) {
            let slots: Vec<_> = (0..).zip(&slots).map(|(slot, (reserved, free))| Slot {
                slot, capacity: reserved + free, reserved: *reserved,
            }).collect();
            let free: u32 = slots.iter().map(|slot| slot.free()).sum();
            match gather(&slots, wanted) {
                Some(taken) => {
                    prop_assert_eq!(taken.iter().map(|part| part.quantity).sum::<u32>(), wanted);
                    for part in taken {
                        let slot = slots[usize::try_from(part.slot).unwrap()];
                        prop_assert!(part.quantity <= slot.free());
                    }
                }
                None => prop_assert!(free < wanted),
            }
        }

        #[test]
        fn resizing_keeps_what_is_reserved(
            reserved in prop::collection::vec(0..50_u32, 1..16),
            units in 0..1000_u32,
        ) {
            let slots: Vec<_> = (0..).zip(&reserved)
                .map(|(slot, &reserved)| Slot { slot, capacity: 50, reserved }).collect();
            let total: u32 = reserved.iter().sum();
            match resize(&slots, units) {
                Ok(resized) => {
                    prop_assert_eq!(capacity(&resized), units);
                    prop_assert!(resized.iter().all(|slot| slot.reserved <= slot.capacity));
                }
                Err(refused) => {
                    prop_assert!(units < total);
                    prop_assert_eq!(refused.reserved, total);
                }
            }
        }
    }
}
