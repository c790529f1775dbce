//! Private instances of the real servers that Eventify runs on, for the demo, the tests and the
//! benchmarks: PostgreSQL, RabbitMQ, an OIDC provider, a Stripe-compatible server, a mail sink, a display
//! for the scanner app's window; and two proxies that disturb the connections between them: by byte stream
//! and by message.
//!
//! ```no_run
//! # async fn story() -> Result<(), eventify_stack::StackError> {
//! use eventify_stack::Stack;
//!
//! let stack = Stack::shared().await?; // the run's stack, or a private one
//! let scope = stack.scope().await?; // this test's own database and virtual host
//! println!("{} {}", scope.database.url(), scope.amqp_url);
//! # Ok(()) }
//! ```
//!
//! `eventify-stack run -- cargo test` starts one stack for a whole run and passes its addresses to the
//! tests in `EVENTIFY_STACK`. Nothing here is product logic, and nothing here is safe outside a
//! developer's machine: keys are made for the run and lie in its scratch folder.

pub mod broker_auth;
pub mod fault_proxy;
pub mod mail;
pub mod message_proxy;
pub mod oidc;
pub mod pki;
pub mod postgres;
pub mod rabbitmq;
pub mod stripe;
pub mod us_keyboard;
pub mod window;

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
mod x11;

pub use command::Command;
pub use error::StackError;
pub use fault_proxy::{FaultProxy, Traffic};
pub use mail::Mail;
pub use message_proxy::{Direction, MessageProxy};
pub use oidc::{Oidc, TokenOptions, User};
pub use pki::{ClientIdentity, DeviceCa};
pub use postgres::Database;
pub use scope::Scope;
pub use stack::{Options, Stack};
pub use stripe::{Card, Payment, Stripe};
pub use window::{Window, WindowError, WindowOptions};
pub use x11::{Display, Rectangle};
