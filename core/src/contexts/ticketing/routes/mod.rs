//! HTTP of ticketing.

mod check_ins;
mod keys;
mod places;
mod tickets;
mod tokens;

use eventify_kernel::http::{ApiError, Routes, StatusCode};

use super::App;
use super::acts::Error;
use super::model::{CantSign, Refused, ScanError};

pub(super) fn routes() -> Routes<App> {
    check_ins::routes(tokens::routes(tickets::routes(places::routes(
        keys::routes(Routes::new()),
    ))))
}

/// Also what event_management and reservation answer.
impl From<CantSign> for ApiError {
    fn from(error: CantSign) -> Self {
        let text = error.to_string();
        match error {
            CantSign::Beyond { .. } => Self::unprocessable("beyond_ticket_keys", text),
            CantSign::NoKey => Self::unavailable(text),
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::UnknownOrder(_) => Self::not_found("order_not_found", text),
            Error::UnknownTicket(_) | Error::Scan(ScanError::UnknownTicket(_)) => {
                Self::not_found("ticket_not_found", text)
            }
            Error::ReissuedTooOften(wait) => {
                let seconds = wait.num_seconds().max(1).unsigned_abs();
                Self::new(StatusCode::TOO_MANY_REQUESTS, "reissued_too_often", text)
                    .retry_after(seconds)
            }
            Error::NotIssued(_) => Self::conflict("tickets_not_issued", text),
            Error::Refused(Refused::Revoked) => Self::conflict("ticket_revoked", text),
            Error::Refused(Refused::Used) => Self::conflict("ticket_used", text),
            Error::Refused(Refused::Suspended) => Self::conflict("ticket_suspended", text),
            Error::Refused(Refused::Over) => Self::gone("performance_over", text),
            Error::Issue(_) => Self::conflict("tickets_not_issued", text).retry_after(5),
            Error::Scan(ScanError::UnknownNode(_) | ScanError::RevokedNode(_)) => {
                Self::forbidden(text)
            }
            Error::Scan(ScanError::IdReused(_)) => Self::unprocessable("scan_id_reused", text),
            Error::Row(error) => Self::internal(error),
            Error::Keys(error) => Self::internal(error),
            Error::Interrupted => Self::internal(error),
            Error::Db(error) => error.into(),
        }
    }
}
