//! Why an order was not changed, as clients read it.

use eventify_kernel::http::ApiError;

use crate::contexts::order::acts::Error;
use crate::contexts::order::model::Refusal;

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Unknown => Self::not_found("order_not_found", message),
            Error::Forbidden | Error::Sold => Self::forbidden(message),
            Error::InRefund { .. } => Self::conflict("already_refunded", message),
            Error::Db(error) => error.into(),
            Error::Refused(refusal) => match refusal {
                Refusal::WrongState(_) => Self::conflict("order_state", message),
                Refusal::NotIssuedYet => {
                    Self::conflict("tickets_not_issued", message).retry_after(1)
                }
                Refusal::ForeignTicket(_) => Self::unprocessable("foreign_ticket", message),
                Refusal::PerformanceNotKnown => {
                    Self::conflict("performance_not_known", message).retry_after(5)
                }
                Refusal::AlreadyRefunded(..) => Self::conflict("already_refunded", message),
                Refusal::Used(_) => Self::conflict("ticket_used", message),
                Refusal::Revoked(_) => Self::conflict("ticket_revoked", message),
                Refusal::NothingLeft => Self::conflict("nothing_to_refund", message),
                Refusal::WindowClosed => Self::unprocessable("refund_window_closed", message),
            },
        }
    }
}
