//! Lists come in pages: `?page=1&size=20`, answered in one envelope (DECISIONS 19).
//!
//! A list without filters takes [`Paging`] as an extractor. One with filters names `page` and `size`
//! among them and calls [`Paging::of`]: what a query may say stands in one type, which refuses the
//! rest.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiError, Query};

/// Items of a page, unless the caller asks for another number.
const DEFAULT_SIZE: u32 = 20;
/// Most items of a page.
const MAX_SIZE: u32 = 100;
/// Beyond this, a caller should filter instead of turning pages.
const MAX_PAGE: u32 = 100_000;

/// Which page is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    page: u32,
    size: u32,
}

/// A page.
#[derive(Clone, Debug, Serialize)]
pub struct Paged<T> {
    /// From 1.
    pub page: u32,
    /// Most items of a page.
    pub size: u32,
    /// Items of all pages.
    pub total: i64,
    /// Items of this one.
    pub items: Vec<T>,
}

/// A query that is nothing else.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// From 1.
    page: Option<u32>,
    /// Of a page: 1 to 100, 20 unless given.
    size: Option<u32>,
}

impl Paging {
    /// Checks what a caller wants.
    ///
    /// # Errors
    /// 400 outside of `page ≥ 1`, `1 ≤ size ≤ 100`.
    pub fn of(page: Option<u32>, size: Option<u32>) -> Result<Self, ApiError> {
        let (page, size) = (page.unwrap_or(1), size.unwrap_or(DEFAULT_SIZE));
        if !(1..=MAX_PAGE).contains(&page) {
            return Err(ApiError::invalid(
                "page",
                format!("must be 1 to {MAX_PAGE}; given: {page}"),
            ));
        }
        if !(1..=MAX_SIZE).contains(&size) {
            return Err(ApiError::invalid(
                "size",
                format!("must be 1 to {MAX_SIZE}; given: {size}"),
            ));
        }
        Ok(Self { page, size })
    }

    /// For `limit`.
    #[must_use]
    pub fn limit(self) -> i64 {
        i64::from(self.size)
    }

    /// For `offset`.
    #[must_use]
    pub fn offset(self) -> i64 {
        i64::from(self.page - 1) * i64::from(self.size)
    }

    /// The page of a list that is in memory.
    #[must_use]
    pub fn slice<T>(self, all: Vec<T>) -> Paged<T> {
        let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
        let skipped = usize::try_from(self.offset()).unwrap_or(usize::MAX);
        let items = all.into_iter().skip(skipped).take(self.size as usize);
        self.answer(items.collect(), total)
    }

    /// The envelope.
    #[must_use]
    pub fn answer<T>(self, items: Vec<T>, total: i64) -> Paged<T> {
        Paged {
            page: self.page,
            size: self.size,
            total,
            items,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(wanted) = Query::<Wanted>::from_request_parts(parts, state).await?;
        Self::of(wanted.page, wanted.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_count_from_one() {
        let first = Paging::of(None, None).unwrap();
        assert_eq!((first.limit(), first.offset()), (20, 0));
        let third = Paging::of(Some(3), Some(50)).unwrap();
        assert_eq!((third.limit(), third.offset()), (50, 100));
        let rest = third.slice((0..120).collect());
        assert_eq!(
            (rest.items, rest.total),
            ((100..120).collect::<Vec<_>>(), 120)
        );
        for (page, size) in [(Some(0), None), (None, Some(0)), (None, Some(101))] {
            assert_eq!(Paging::of(page, size).unwrap_err().status().as_u16(), 400);
        }
    }
}
