//! The acts of inventory, by what they change.

pub(super) mod guests;
pub(super) mod hold;
pub(super) mod kept_back;
pub(super) mod laying_out;
pub(super) mod release;
pub(super) mod sale;
pub(super) mod stock;
pub(super) mod venues;

use eventify_contracts::inventory::BucketUnits;
use eventify_protocol::ids::BucketId;

fn bucket_units((bucket_id, qty): (BucketId, u32)) -> BucketUnits {
    BucketUnits { bucket_id, qty }
}
