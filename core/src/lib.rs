//! The central system: one binary, its bounded contexts, and the kernel that they share.
//!
//! # Where things are
//! A context is a folder (`identity/` is the smallest) whose file names are its layers:
//!
//! | file | what | says |
//! |---|---|---|
//! | `mod.rs` | what the context is for, its states; `pub const NAME`, `pub fn context()` | |
//! | `model.rs` | pure decisions: values in, values out | std, serde, protocol |
//! | `events.rs` | what it publishes; its public face | serde, schemars |
//! | `api.rs` | its acts (load → decide → one transaction), for its own routes and consumers, and for the contexts that may call it | |
//! | `store.rs` | SQL | `sqlx` |
//! | `routes.rs` | HTTP, handlers of about 15 lines, `From<Error> for ApiError` | `axum` |
//! | `consumers.rs` | one function for each foreign event, and one for each job | |
//!
//! A layer that grows becomes a folder of that name (`store/holds.rs`). Kernel: [`db`], [`bus`],
//! [`http`], [`auth`], [`event`], [`jobs`]. The maps: [`context`] (all contexts), [`flows`] (sagas),
//! [`routing`] (event type → routing key).
//!
//! # How to write…
//! **an act**: load → decide (pure) → one transaction → commit:
//! ```ignore
//! pub async fn confirm(app: &App, cause: &Cause, id: ReservationId) -> Result<Reservation, Error> {
//!     let mut tx = app.db.begin(NAME, cause).await?;
//!     let reservation = store::lock(&mut tx, id).await?.ok_or(Error::NotFound)?;
//!     let reservation = reservation.confirm(app.clock.now())?;              // model.rs
//!     store::save(&mut tx, &reservation).await?;
//!     tx.publish(app.clock.new_id(), reservation.version, &reservation.confirmed_event());
//!     tx.commit().await?;                                                   // rings the relay's bell
//!     Ok(reservation)
//! }
//! ```
//! **a store function**: takes `conn: &mut PgConnection` ([`db::PgConnection`]) and answers
//! [`db::DbResult`]; callers pass `&mut tx`, or `&mut app.db.read(NAME).await?` for a read outside a
//! transaction. Tables are named without a schema: the context's `search_path` finds its own.
//!
//! **a migration**: `core/migrations/<context>/0001_name.sql`, listed in `mod.rs` by
//! [`migrations!`]; never edited once landed. `outbox`, `inbox` and `idempotency_keys` are there.
//!
//! **an event**: a struct in `events.rs` with `Serialize, Deserialize, JsonSchema`, camelCase:
//! `domain_events! { OrderPaid: "order.paid" of order_id; TicketIssued: "ticket.issued" of order_id feeds venues; }`
//! and its row in [`routing::ROUTES`]. `events: events::schemas()` in `context()`.
//! `feeds venues` marks rows that the venues' watermark waits for (`db::outbox::settle`).
//!
//! **a consumer**: its line in [`flows::STEPS`], and in `consumers.rs`:
//! ```ignore
//! pub(super) fn consumers() -> Consumers { Consumers::new().on::<OrderPaid, _>(on_order_paid) }
//! async fn on_order_paid(app: &App, tx: &mut Tx, event: Received<OrderPaid>) -> Result<(), Failure> { .. }
//! ```
//! The transaction is open and the inbox row written; the loop commits. Never wait for another
//! party inside: write down what is to be done, and `tx.wake(app.jobs.wake(NAME, "refunds"))`.
//! `Err(Failure::Retry)` comes again after 30 s, 30 s, 2 m, 2 m; `Failure::Park` goes to the DLQ.
//! Two deliveries of one message never both reach the function; two messages in the wrong order do.
//! Where many come at once and each is little work, `.together(on_tickets_issued)` takes a
//! `Vec<Received<E>>`: messages share a transaction, one by one if it fails.
//!
//! **a pipe of the edges**: `Consumers::new().pipe(Pipe::Scan, on_scan)` with
//! `async fn on_scan(app: App, message: PipeMessage) -> Result<(), Failure>`; answers with
//! [`bus::Bus::send_down`].
//!
//! **a job**: `pub(super) fn jobs() -> Jobs { Jobs::new().every(Duration::from_secs(1), expire_holds) }`
//! with `async fn expire_holds(app: &App, cause: &Cause) -> Result<(), Failure>`. One process at a
//! time runs it; tests run it by name. `Jobs::service` keeps a loop running (`app.db.elect`).
//!
//! **a route**: `Routes::new().post("/orders", POLICY, place)`; every route has a
//! [`http::Policy`], there is no other way to register one:
//! `Policy::roles(&[Role::Customer]).scopes(&["order:write"]).owner("order.customer_id").key_required()`.
//! A handler takes `State(app): State<App>`, `caller: Caller`, [`http::Path`], [`http::Query`],
//! [`http::Json`] and answers [`http::Answer`]. It enforces the owner rule itself:
//! `caller.must_own(order.customer_id)?`. `caller.cause` goes into `begin`.
//! Idempotency keys are the kernel's work; effects in further transactions or at other parties
//! derive their own key: `caller.key.as_ref().map(|key| key.inner("intent"))`.
//!
//! **a synchronous call** to another context or a party outside: through its breaker, with the same
//! idempotency key in every attempt: `app.breakers.payment.call(move || payment::api::intent(..)).await`.
//!
//! **a test**: `core/tests/<context>.rs` with `mod support;` (`TestApp`):
//! real servers, users with tokens, `core.settle().await`, `core.advance(..)`, `core.run_job(..)`,
//! `TestApp::interfered(Interference::deliver_twice())`.
//!
//! # What is deliberately not here
//! Storage traits, a service locator, thread-local context: what a function needs is an argument.
//! Time and ids come from [`clock::Clock`] alone.

pub mod app;
pub mod auth;
pub mod bell;
pub mod breaker;
pub mod bus;
pub mod catalogue;
pub mod cause;
pub mod clock;
pub mod config;
pub mod context;
pub mod db;
pub mod event;
pub mod event_management;
pub mod failure;
pub mod fleet;
pub mod flows;
mod group;
mod housekeeping;
pub mod http;
pub mod identity;
pub mod interference;
pub mod inventory;
pub mod jobs;
pub mod keys;
mod names;
pub mod order;
pub mod payment;
pub mod psp;
mod reach;
pub mod reservation;
pub mod routing;
pub mod schemas;
pub mod telemetry;
pub mod ticketing;
