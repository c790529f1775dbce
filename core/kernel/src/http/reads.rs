//! What a route reads of its requests, from the types of its handler's arguments: for the reference of the API
//! and for tests that walk all routes.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::misfit::{read_body, read_query};
use super::shape::schema_of;
use super::{ApiError, Caller, Conditional, IfMatch, Json, Paging, Path, Query};

/// Query or body.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Its JSON schema.
    pub schema: fn() -> Arc<Value>,
    /// Reads one as the route does.
    ///
    /// # Errors
    /// The refusal.
    pub read: fn(&str) -> Result<(), ApiError>,
}

/// What a route reads, beside its path and the caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reads {
    pub query: Option<Part>,
    pub body: Option<Part>,
    /// An edit: the version that its author has read.
    pub if_match: bool,
}

/// An argument of a handler.
pub trait Argument {
    /// Notes what it reads.
    fn note(_: &mut Reads) {}
}

/// The arguments of a handler, as axum lists them.
pub trait Arguments {
    /// What they read.
    fn reads() -> Reads;
}

impl<S> Argument for State<S> {}
impl<T> Argument for Path<T> {}
impl Argument for Caller {}
impl Argument for Conditional {}
impl Argument for HeaderMap {}
impl Argument for Bytes {}

impl Argument for IfMatch {
    fn note(reads: &mut Reads) {
        reads.if_match = true;
    }
}

impl Argument for Paging {
    fn note(reads: &mut Reads) {
        Query::<super::paging::Wanted>::note(reads);
    }
}

impl<T: DeserializeOwned + JsonSchema + 'static> Argument for Query<T> {
    fn note(reads: &mut Reads) {
        reads.query = Some(Part {
            schema: schema_of::<T>,
            read: |query| read_query::<T>(query).map(drop),
        });
    }
}

impl<T: DeserializeOwned + JsonSchema + 'static> Argument for Json<T> {
    fn note(reads: &mut Reads) {
        reads.body = Some(Part {
            schema: schema_of::<T>,
            read: |body| read_body::<T>(body.as_bytes()).map(drop),
        });
    }
}

macro_rules! arguments {
    ($($argument:ident)*) => {
        impl<M, $($argument: Argument),*> Arguments for (M, $($argument,)*) {
            fn reads() -> Reads {
                let notes: &[fn(&mut Reads)] = &[$($argument::note),*];
                let mut reads = Reads::default();
                for note in notes {
                    note(&mut reads);
                }
                reads
            }
        }
    };
}

arguments!();
arguments!(A);
arguments!(A B);
arguments!(A B C);
arguments!(A B C D);
arguments!(A B C D E);
arguments!(A B C D E F);
