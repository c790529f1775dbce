//! Private instances of the real servers that Eventify runs on, for the demo, the tests and the
//! benchmarks: PostgreSQL, RabbitMQ, an OIDC provider, a Stripe-compatible server, a mail sink; and
//! two ways to disturb the lines between them, as a cable does and message by message.
//!
//! ```no_run
//! # async fn story() -> Result<(), eventify_stack::StackError> {
//! use eventify_stack::Stack;
//!
//! let stack = Stack::shared().await?; // the run's stack, or a private one
//! let scope = stack.scope().await?; // a database and a virtual host of this test's own
//! println!("{} {}", scope.database.url(), scope.amqp_url);
//! # Ok(()) }
//! ```
//!
//! `eventify-stack run -- cargo test` starts one stack for a whole run and tells the tests of it in
//! `EVENTIFY_STACK`. Nothing here is product logic, and nothing here is safe outside a developer's
//! machine: keys are made for the run and lie in its scratch folder.

pub mod broker_auth;
pub mod fault;
pub mod mail;
pub mod message_line;
pub mod oidc;
pub mod pki;
pub mod postgres;
pub mod rabbitmq;
pub mod stripe;

mod background;
mod clock;
mod command;
mod error;
mod http;
mod ports;
mod process;
mod scope;
mod scratch;
mod stack;
mod tools;

pub use command::Command;
pub use error::StackError;
pub use fault::{Carried, FaultProxy};
pub use mail::Mail;
pub use message_line::{MessageLine, Way};
pub use oidc::{Oidc, TokenOptions, User};
pub use pki::{ClientIdentity, DeviceCa};
pub use postgres::Database;
pub use scope::Scope;
pub use stack::{Options, Stack};
pub use stripe::{Card, Payment, Stripe};
