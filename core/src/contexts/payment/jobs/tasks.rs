//! What payment's tasks are about, as it is stored.

use chrono::{DateTime, Utc};
use eventify_kernel::jobs::Job;
use eventify_kernel::tasks::Task;
use eventify_protocol::ids::{PaymentId, RefundId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    COMPARE_PAGES, DRIVE_PAYMENTS, DRIVE_REFUNDS, READ_INTENTS, READ_REFUNDS, READ_UNKNOWN,
};
use crate::contexts::payment::gateway::Made;

/// The payment has a next request to the provider.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct DrivePayment {
    pub(crate) payment_id: PaymentId,
}

impl Task for DrivePayment {
    const JOB: Job = DRIVE_PAYMENTS;

    fn key(&self) -> Uuid {
        self.payment_id.as_uuid()
    }
}

/// A webhook says that the money of an intent came: the provider itself has to say so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReadIntent {
    pub(crate) payment_id: PaymentId,
    /// The provider's id.
    pub(crate) reference: String,
}

impl Task for ReadIntent {
    const JOB: Job = READ_INTENTS;

    fn key(&self) -> Uuid {
        self.payment_id.as_uuid()
    }
}

/// The refund is pending.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct DriveRefund {
    pub(super) refund_id: RefundId,
    /// The provider may have it, although its answer was lost.
    pub(super) may_exist: bool,
}

impl DriveRefund {
    pub(crate) fn new(refund_id: RefundId) -> Self {
        Self {
            refund_id,
            may_exist: false,
        }
    }

    pub(crate) fn existing(refund_id: RefundId) -> Self {
        Self {
            refund_id,
            may_exist: true,
        }
    }
}

impl Task for DriveRefund {
    const JOB: Job = DRIVE_REFUNDS;

    fn key(&self) -> Uuid {
        self.refund_id.as_uuid()
    }
}

/// Refunds of a payment's intent have changed at the provider.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ReadRefunds {
    pub(crate) payment_id: PaymentId,
}

impl Task for ReadRefunds {
    const JOB: Job = READ_REFUNDS;

    fn key(&self) -> Uuid {
        self.payment_id.as_uuid()
    }
}

/// A part of a comparison has more pages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ComparePages {
    pub(crate) part: Uuid,
    pub(crate) comparison_id: Uuid,
    pub(crate) made: Part,
    pub(crate) since: DateTime<Utc>,
    pub(crate) after: Option<String>,
}

/// [`Made`], as it is stored.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    Intents,
    Refunds,
    Disputes,
}

impl Task for ComparePages {
    const JOB: Job = COMPARE_PAGES;
    /// The shop goes first.
    const CONCURRENCY: u16 = 1;

    fn key(&self) -> Uuid {
        self.part
    }
}

impl From<Made> for Part {
    fn from(made: Made) -> Self {
        match made {
            Made::Intents => Self::Intents,
            Made::Refunds => Self::Refunds,
            Made::Disputes => Self::Disputes,
        }
    }
}

impl From<Part> for Made {
    fn from(part: Part) -> Self {
        match part {
            Part::Intents => Self::Intents,
            Part::Refunds => Self::Refunds,
            Part::Disputes => Self::Disputes,
        }
    }
}

/// Something is told about an object that is not here: the provider itself has to say whether it is ours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReadUnknown {
    pub(crate) object: Unknown,
    /// The provider's id.
    pub(crate) reference: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unknown {
    Intent,
    Dispute,
}

impl ReadUnknown {
    pub(crate) fn new(object: Unknown, reference: &str) -> Self {
        let reference = reference.to_owned();
        Self { object, reference }
    }
}

impl Task for ReadUnknown {
    const JOB: Job = READ_UNKNOWN;
    /// The shop goes first.
    const CONCURRENCY: u16 = 1;

    /// Two kinds of objects never have the same id.
    fn key(&self) -> Uuid {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::digest(&self.reference)[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}
