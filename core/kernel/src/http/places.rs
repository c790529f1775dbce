//! How many requests to public routes are answered at once (DECISIONS 46). A place is taken until the
//! last byte has left, so that slow readers are counted too.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ApiError;

/// Cheap to clone; clones share the places.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Semaphore>);

/// One of them.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// # Errors
    /// 503 `busy` at once: who waits here would only make the others wait longer.
    pub(super) fn take(&self) -> Result<Place, ApiError> {
        let place = Arc::clone(&self.0).try_acquire_owned();
        place.map(|permit| Place { _permit: permit }).map_err(|_| {
            ApiError::busy("too many people are reading at this moment; try again in a second")
        })
    }
}

impl Place {
    /// Gives the place back with the end of the response.
    pub(super) fn until_sent(self, response: Response) -> Response {
        response.map(|body| Body::new(Placed { body, _place: self }))
    }
}

struct Placed {
    body: Body,
    _place: Place,
}

impl HttpBody for Placed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn a_place_is_taken_until_the_answer_was_sent() {
        let places = Places::new(1);
        let sending = places
            .take()
            .unwrap()
            .until_sent(Response::new(Body::from("map")));
        assert_eq!(sending.body().size_hint().exact(), Some(3));
        let refused = places.take().unwrap_err();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(sending);
        places.take().unwrap();
    }
}
