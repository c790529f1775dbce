//! The messages between core and edge node (`ADMISSION`).
//!
//! CBOR (RFC 8949), one versioned [`Envelope`], encoded with `minicbor` as arrays with fixed
//! indexes: a field is only ever added at the end and optional, an index is never used again.
//!
//! MQTT topics are `ev1/up/<node>/<kind>` and `ev1/down/<node>/<kind>`, see [`topic`].

mod acts;
mod down;
mod envelope;
mod feed;
mod holder;
mod journal;
mod number;
mod performance;
mod point;
mod scanners;
mod short;
mod staff;
pub mod topic;
mod up;

pub use acts::{
    ActBy, ActName, DEFAULT_ACTS_PER_HOUR, Done, GateChanged, Left, MAX_ACTS_PER_HOUR, Overridden,
    Undone,
};
pub use down::{
    Chunk, Config, Delta, Down, JournalAck, Plan, ScanVerdict, ScannedTicket, SnapshotGone, Welcome,
};
pub use envelope::{Body, Envelope, MAX_MESSAGE_BYTES, Sender, WIRE_VERSION, WireError};
pub use feed::{
    DIGEST_ALGORITHM, Digest, DigestKey, Epoch, FeedEntry, GateEntry, NodeEntry, PersonEntry,
    PolicyEntry, Position, Subject, TicketEntry, TicketState, UsedBy, Value,
};
pub use holder::{
    HOLDER_NONCE_BYTES, Holder, HolderEntry, HolderKey, HolderKeys, MAX_GUEST_NAME_CHARS,
    PerformanceKey, SealedOtherwise,
};
pub use journal::{
    Decision, JournalEntry, JournalHead, JournalRow, Moment, PointRef, RowError, SealedRow,
    Searched,
};
pub use performance::{AdmissionWindow, CategoryName, PerformanceEntry, PerformanceState, Reentry};
pub use point::{Nonce, PointError, SyncPoint};
pub use scanners::{
    MAX_SCANNERS, MAX_SCANNERS_A_MESSAGE, ScannerChange, ScannerGates, ScannerOrder, ScannerOrders,
    ScannerState, ScannersReport,
};
pub use short::{
    MAX_CATEGORY_NAME_CHARS, MAX_PLACE_BYTES, MAX_PROCEDURE_LINE_CHARS, MAX_PROCEDURE_LINES,
    MAX_TITLE_CHARS, short_category_name, short_seat, short_title, short_zone,
};
pub use staff::{DeviceCode, MAX_DEVICE_CODE_BYTES, SignInProgress, StaffAnswer, StaffAsk};
pub use up::{Ask, Health, Hello, JournalBatch, Pull, Scan, Up};
