//! Typed identifiers.
//!
//! Every identifier is a UUID; those made by Eventify are version 7 (RFC 9562), any version is
//! accepted. On JSON wires they are hyphenated strings, on CBOR wires 16-byte strings, with the
//! feature `postgres` values of the database's `uuid`.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Decoder, Encode, Encoder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        #[cfg_attr(feature = "postgres", derive(sqlx::Type), sqlx(transparent))]
        pub struct $name(pub Uuid);

        impl $name {
            /// The UUID behind the type, for stores.
            #[must_use]
            pub fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(self.0.as_bytes())?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let bytes = d.bytes()?;
                Uuid::from_slice(bytes)
                    .map(Self)
                    .map_err(|_| minicbor::decode::Error::message("an id has 16 bytes"))
            }
        }
    )+};
}

typed_ids! {
    /// An event: what an organiser publishes, with one or more performances.
    EventId,
    /// One date of an event in one venue.
    PerformanceId,
    /// A venue: a feed, its nodes and its seating plans belong to it.
    VenueId,
    /// A seating plan of a venue.
    SeatingPlanId,
    /// A numbered seat of a seating plan.
    SeatId,
    /// A capacity zone of a seating plan (blueprint: inventory bucket).
    BucketId,
    /// A pricing scheme of an event.
    PricingSchemeId,
    /// A temporary claim on seats or capacity.
    HoldId,
    /// A customer's cart.
    ReservationId,
    /// An order made from a confirmed reservation.
    OrderId,
    /// A payment of an order.
    PaymentId,
    /// A refund of a payment.
    RefundId,
    /// A ticket; also the `cti` claim of its token.
    TicketId,
    /// An accepted entry.
    CheckInId,
    /// A user of the identity provider, as known inside: one per (`iss`, `sub`).
    UserId,
    /// An organisation: events, venues and users' claims carry it.
    OrganisationId,
    /// An edge node's instance. Made at enrolment, never used again for another node.
    NodeId,
    /// A gate of a venue.
    GateId,
    /// A scanner paired with a node.
    ScannerId,
    /// One pull of the trigger, from the scanner to the core (UUID version 7).
    ScanId,
    /// A message, an outbox row, an event: what consumers deduplicate on.
    MessageId,
    /// Follows one request through every hop, message and log line.
    CorrelationId,
    /// A journal file's own random identity, made with the file.
    IncarnationId,
    /// The kernel's boot id (`/proc/sys/kernel/random/boot_id`).
    BootId,
    /// One run of a node's process, from its start to its end.
    SessionId,
    /// A stored snapshot of a venue's feed at one position.
    SnapshotId,
    /// A box office's lease on seats or counts.
    LeaseId,
    /// Somebody who works at a venue. Random and made for that venue: without the core's list of staff it
    /// says nothing of who that is.
    PersonId,
    /// A sign-in at a scanner, begun with the identity provider.
    SignInId,
    /// A person's time at a scanner.
    ShiftId,
    /// Something that a person did at a gate beside scanning: made by the scanner, used until it is answered.
    ActId,
    /// A search for a guest: made by the scanner, used until it is answered.
    SearchId,
}
