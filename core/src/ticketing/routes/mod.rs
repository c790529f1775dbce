//! HTTP of ticketing.

mod keys;
mod tickets;

use super::api::Error;
use super::model::Refused;
use crate::http::{ApiError, Routes};

pub(super) fn routes() -> Routes {
    tickets::routes(keys::routes(Routes::new()))
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::UnknownOrder(_) => Self::not_found("order_not_found", text),
            Error::UnknownTicket(_) => Self::not_found("ticket_not_found", text),
            Error::NotIssued(_) => Self::conflict("tickets_not_issued", text),
            Error::Refused(Refused::Revoked) => Self::conflict("ticket_revoked", text),
            Error::Refused(Refused::Used) => Self::conflict("ticket_used", text),
            Error::Issue(_) => Self::conflict("tickets_not_issued", text).retry_after(5),
            Error::Keys(error) => Self::internal(error),
            Error::Db(error) => error.into(),
        }
    }
}
