//! What a token says, and its one encoding.

use ciborium::Value;
use coset::iana::{CwtClaimName, EnumI64 as _};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{category::CategoryCode, unreadable::Unreadable};
use crate::{
    ids::{PerformanceId, TicketId},
    keys::read_one,
};

/// Private claims (RFC 8392, 9.1.1: below −65536).
const PERFORMANCE: i64 = -65_537;
const CATEGORY: i64 = -65_538;
const REVISION: i64 = -65_539;

/// The statement that a token carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    /// The ticket (`cti`).
    #[n(0)]
    pub ticket: TicketId,
    /// The performance that it is for.
    #[n(1)]
    pub performance: PerformanceId,
    /// The category or zone that it is for.
    #[n(2)]
    pub category: CategoryCode,
    /// Outer bound (`nbf`), Unix seconds, 0 to 2³² − 1: admitted at no gate before. When a ticket
    /// admits is its performance's, which may move (`ADMISSION` 3.8).
    #[n(3)]
    pub not_before: i64,
    /// Outer bound (`exp`): admitted at no gate from then on. Unix seconds, after `not_before`, at most 2³² − 1.
    #[n(4)]
    pub expiry: i64,
    /// Counts up when the ticket is reissued; an older token of the same ticket is void.
    #[n(5)]
    pub revision: u32,
}

/// Claims that no token may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaims {
    /// A time before 1970 or after 2106-02-07.
    #[error("times are Unix seconds from 0 to 4294967295")]
    TimeOutOfRange,
    /// `expiry` not after `not_before`.
    #[error("the expiry is not after the begin")]
    NeverValid,
    /// An expiry that the key may not vouch for ([`crate::keys::Window`]): no gate would accept it.
    #[error("the expiry is outside of the key's window")]
    OutsideKeyWindow,
}

impl Claims {
    /// The rules between the values.
    ///
    /// # Errors
    /// [`InvalidClaims::TimeOutOfRange`], [`InvalidClaims::NeverValid`].
    pub fn check(&self) -> Result<(), InvalidClaims> {
        if [self.not_before, self.expiry]
            .into_iter()
            .any(|time| u32::try_from(time).is_err())
        {
            return Err(InvalidClaims::TimeOutOfRange);
        }
        if self.expiry <= self.not_before {
            return Err(InvalidClaims::NeverValid);
        }
        Ok(())
    }

    /// The deterministic encoding (RFC 8949, 4.2.1): shortest integers, keys in the order of their
    /// encoded bytes.
    pub(super) fn to_cbor(self) -> Vec<u8> {
        let bytes = |id: Uuid| Value::from(id.as_bytes().as_slice());
        let map = Value::Map(vec![
            (CwtClaimName::Exp.to_i64().into(), self.expiry.into()),
            (CwtClaimName::Nbf.to_i64().into(), self.not_before.into()),
            (
                CwtClaimName::Cti.to_i64().into(),
                bytes(self.ticket.as_uuid()),
            ),
            (PERFORMANCE.into(), bytes(self.performance.as_uuid())),
            (CATEGORY.into(), self.category.as_str().into()),
            (REVISION.into(), self.revision.into()),
        ]);
        let mut cbor = Vec::with_capacity(96);
        ciborium::into_writer(&map, &mut cbor).expect("writing to memory does not fail");
        cbor
    }

    /// Reads strictly: exactly these claims, each once, in the one encoding.
    pub(super) fn from_cbor(cbor: &[u8]) -> Result<Self, Unreadable> {
        let map = read_one(cbor).map_err(|_| Unreadable::ClaimsCbor)?;
        let map = map.ok_or(Unreadable::ClaimsTrailingBytes)?;
        let entries = map.into_map().map_err(|_| Unreadable::ClaimsShape)?;
        let mut found = Found::default();
        for (label, value) in entries {
            found.put(&label, value)?;
        }
        let claims = found.claims()?;
        claims.check().map_err(|rule| match rule {
            InvalidClaims::NeverValid => Unreadable::NeverValid,
            InvalidClaims::TimeOutOfRange | InvalidClaims::OutsideKeyWindow => {
                Unreadable::ClaimRange
            }
        })?;
        if claims.to_cbor() == cbor {
            Ok(claims)
        } else {
            Err(Unreadable::ClaimsNotCanonical)
        }
    }
}

/// The claims met so far.
#[derive(Default)]
struct Found {
    ticket: Option<Value>,
    performance: Option<Value>,
    category: Option<Value>,
    not_before: Option<Value>,
    expiry: Option<Value>,
    revision: Option<Value>,
}

impl Found {
    fn put(&mut self, label: &Value, value: Value) -> Result<(), Unreadable> {
        const EXP: i64 = CwtClaimName::Exp as i64;
        const NBF: i64 = CwtClaimName::Nbf as i64;
        const CTI: i64 = CwtClaimName::Cti as i64;
        let label = label
            .as_integer()
            .and_then(|label| i64::try_from(label).ok());
        let place = match label.ok_or(Unreadable::UnknownClaim)? {
            EXP => &mut self.expiry,
            NBF => &mut self.not_before,
            CTI => &mut self.ticket,
            PERFORMANCE => &mut self.performance,
            CATEGORY => &mut self.category,
            REVISION => &mut self.revision,
            _ => return Err(Unreadable::UnknownClaim),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(Unreadable::DuplicateClaim),
        }
    }

    fn claims(self) -> Result<Claims, Unreadable> {
        Ok(Claims {
            ticket: TicketId(uuid(self.ticket)?),
            performance: PerformanceId(uuid(self.performance)?),
            category: category(self.category)?,
            not_before: unsigned(self.not_before)?.into(),
            expiry: unsigned(self.expiry)?.into(),
            revision: unsigned(self.revision)?,
        })
    }
}

fn uuid(value: Option<Value>) -> Result<Uuid, Unreadable> {
    let bytes = value.ok_or(Unreadable::MissingClaim)?.into_bytes();
    let bytes = bytes.map_err(|_| Unreadable::ClaimType)?;
    Uuid::from_slice(&bytes).map_err(|_| Unreadable::ClaimRange)
}

fn category(value: Option<Value>) -> Result<CategoryCode, Unreadable> {
    let text = value.ok_or(Unreadable::MissingClaim)?.into_text();
    text.map_err(|_| Unreadable::ClaimType)?
        .parse()
        .map_err(|_| Unreadable::Category)
}

fn unsigned(value: Option<Value>) -> Result<u32, Unreadable> {
    let number = value.ok_or(Unreadable::MissingClaim)?.into_integer();
    u32::try_from(number.map_err(|_| Unreadable::ClaimType)?).map_err(|_| Unreadable::ClaimRange)
}
