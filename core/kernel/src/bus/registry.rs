//! What a context consumes: one function for each foreign event, one for each uplink queue.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::Uplink;
use crate::app::{App, AppWith};
use crate::db::Tx;
use crate::event::{DomainEvent, Envelope, Received};
use crate::failure::Failure;
use crate::names::short_name;

/// An `async fn on_…(app: &A, tx: &mut Tx, event: Received<E>) -> Result<(), Failure>`.
pub trait ConsumerFn<'a, A: 'a, E>: Send + Sync {
    /// The function's future.
    type Done: Future<Output = Result<(), Failure>> + Send + 'a;
    /// Calls it.
    fn call(&self, app: &'a A, tx: &'a mut Tx, event: Received<E>) -> Self::Done;
}

impl<'a, A: 'a, E, F, Done> ConsumerFn<'a, A, E> for F
where
    F: Fn(&'a A, &'a mut Tx, Received<E>) -> Done + Send + Sync,
    Done: Future<Output = Result<(), Failure>> + Send + 'a,
{
    type Done = Done;

    fn call(&self, app: &'a A, tx: &'a mut Tx, event: Received<E>) -> Done {
        self(app, tx, event)
    }
}

/// An `async fn on_…(app: &A, tx: &mut Tx, events: Vec<Received<E>>) -> Result<(), Failure>`.
pub trait GroupConsumerFn<'a, A: 'a, E>: Send + Sync {
    /// The function's future.
    type Done: Future<Output = Result<(), Failure>> + Send + 'a;
    /// Calls it.
    fn call(&self, app: &'a A, tx: &'a mut Tx, events: Vec<Received<E>>) -> Self::Done;
}

impl<'a, A: 'a, E, F, Done> GroupConsumerFn<'a, A, E> for F
where
    F: Fn(&'a A, &'a mut Tx, Vec<Received<E>>) -> Done + Send + Sync,
    Done: Future<Output = Result<(), Failure>> + Send + 'a,
{
    type Done = Done;

    fn call(&self, app: &'a A, tx: &'a mut Tx, events: Vec<Received<E>>) -> Done {
        self(app, tx, events)
    }
}

type Outcome<'a> = BoxFuture<'a, Result<(), Failure>>;
type Handle<A> =
    Arc<dyn for<'a> Fn(&'a A, &'a mut Tx, &'a [&'a Envelope]) -> Outcome<'a> + Send + Sync>;
type UplinkHandle<A> = Arc<dyn Fn(A, UplinkMessage) -> Outcome<'static> + Send + Sync>;

/// One handler of one event type.
pub struct Handler<A = App> {
    /// Event type.
    pub kind: &'static str,
    /// The function's name.
    pub name: &'static str,
    /// Whether messages share a transaction.
    pub(super) is_grouped: bool,
    handle: Handle<A>,
}

impl<A> Clone for Handler<A> {
    fn clone(&self) -> Self {
        let handle = Arc::clone(&self.handle);
        Self { handle, ..*self }
    }
}

impl<A> fmt::Debug for Handler<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.kind, self.name)
    }
}

impl Handler {
    /// The effect of messages, which are one unless the handler is grouped.
    pub(super) async fn call<'a>(
        &self,
        app: &'a App,
        tx: &'a mut Tx,
        envelopes: &'a [&'a Envelope],
    ) -> Result<(), Failure> {
        (self.handle)(app, tx, envelopes).await
    }
}

/// One message of an edge node, as it came over MQTT.
#[derive(Clone, Debug)]
pub struct UplinkMessage {
    /// `ev1.up.<node>.<kind>`; the node part is proven by the broker's topic rights.
    pub routing_key: String,
    /// CBOR.
    pub body: Vec<u8>,
    /// Messages of this node and kind that were dropped unread since the last report, because it sends
    /// too many; at most once a minute more than none.
    pub dropped_before: u64,
}

/// One handler of one uplink queue.
pub struct UplinkHandler<A = App> {
    pub uplink: Uplink,
    /// The function's name.
    pub name: &'static str,
    pub(super) handle: UplinkHandle<A>,
}

impl<A> Clone for UplinkHandler<A> {
    fn clone(&self) -> Self {
        let handle = Arc::clone(&self.handle);
        Self { handle, ..*self }
    }
}

impl<A> fmt::Debug for UplinkHandler<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.uplink.name, self.name)
    }
}

/// A context's handlers. `A` is what they are called with: [`App`], or an [`AppWith`] until
/// [`Consumers::capture`].
pub struct Consumers<A = App> {
    pub(super) handlers: Vec<Handler<A>>,
    uplinks: Vec<UplinkHandler<A>>,
}

impl<A> Clone for Consumers<A> {
    fn clone(&self) -> Self {
        Self {
            handlers: self.handlers.clone(),
            uplinks: self.uplinks.clone(),
        }
    }
}

impl<A> Default for Consumers<A> {
    fn default() -> Self {
        Self {
            handlers: Vec::new(),
            uplinks: Vec::new(),
        }
    }
}

impl<A> fmt::Debug for Consumers<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.handlers).finish()
    }
}

impl<A: Send + Sync + 'static> Consumers<A> {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Consumes `E`. The loop opens the transaction, writes the message's id into the inbox, calls
    /// the function and commits; a second delivery never reaches the function. The function makes
    /// no call that takes long: it writes a task and wakes a job.
    #[must_use]
    pub fn on<E, F>(self, consumer: F) -> Self
    where
        E: DomainEvent,
        F: for<'a> ConsumerFn<'a, A, E> + Copy + 'static,
    {
        let handle: Handle<A> = Arc::new(move |app, tx, envelopes| {
            async move {
                for envelope in envelopes {
                    consumer.call(app, &mut *tx, envelope.open::<E>()?).await?;
                }
                Ok(())
            }
            .boxed()
        });
        self.register(E::TYPE, short_name::<F>(), false, handle)
    }

    /// Consumes `E`, those messages together that arrive while a transaction runs. If it fails, each
    /// of them is tried alone. The function publishes nothing: the transaction has many causes.
    #[must_use]
    pub fn grouped<E, F>(self, consumer: F) -> Self
    where
        E: DomainEvent,
        F: for<'a> GroupConsumerFn<'a, A, E> + Copy + 'static,
    {
        let handle: Handle<A> = Arc::new(move |app, tx, envelopes| {
            async move {
                let events = envelopes.iter().map(|envelope| envelope.open::<E>());
                let events = events.collect::<Result<_, _>>()?;
                consumer.call(app, tx, events).await
            }
            .boxed()
        });
        self.register(E::TYPE, short_name::<F>(), true, handle)
    }

    fn register(
        mut self,
        kind: &'static str,
        name: &'static str,
        is_grouped: bool,
        handle: Handle<A>,
    ) -> Self {
        self.handlers.push(Handler {
            kind,
            name,
            is_grouped,
            handle,
        });
        self
    }

    /// Consumes an uplink queue. A message is acknowledged when the function has returned,
    /// whatever it returned: edge nodes ask again, the broker doesn't have to remember.
    #[must_use]
    pub fn uplink<F, Done>(mut self, uplink: Uplink, consumer: F) -> Self
    where
        F: Fn(A, UplinkMessage) -> Done + Send + Sync + 'static,
        Done: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let handle: UplinkHandle<A> = Arc::new(move |app, message| consumer(app, message).boxed());
        self.uplinks.push(UplinkHandler {
            uplink,
            name: short_name::<F>(),
            handle,
        });
        self
    }

    /// Event types and function names.
    pub fn list(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        self.handlers
            .iter()
            .map(|handler| (handler.kind, handler.name))
    }

    /// Whether no event is consumed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.handlers.is_empty()
    }

    /// The handlers of uplink queues.
    #[must_use]
    pub fn uplinks(&self) -> &[UplinkHandler<A>] {
        &self.uplinks
    }

    pub(super) fn find(&self, kind: &str) -> Option<&Handler<A>> {
        self.handlers.iter().find(|handler| handler.kind == kind)
    }
}

impl<S: Send + Sync + 'static> Consumers<AppWith<S>> {
    /// The handlers are called with this state.
    #[must_use]
    pub fn capture(self, state: &Arc<S>) -> Consumers {
        let handlers = self.handlers.into_iter().map(|handler| {
            let (state, inner) = (Arc::clone(state), handler.handle);
            let handle: Handle<App> = Arc::new(move |app, tx, envelopes| {
                let (app, inner) = (app.with(&state), Arc::clone(&inner));
                async move { inner(&app, tx, envelopes).await }.boxed()
            });
            Handler {
                kind: handler.kind,
                name: handler.name,
                is_grouped: handler.is_grouped,
                handle,
            }
        });
        let uplinks = self.uplinks.into_iter().map(|handler| {
            let (state, inner) = (Arc::clone(state), handler.handle);
            let handle: UplinkHandle<App> =
                Arc::new(move |app, message| inner(app.with(&state), message));
            UplinkHandler {
                uplink: handler.uplink,
                name: handler.name,
                handle,
            }
        });
        Consumers {
            handlers: handlers.collect(),
            uplinks: uplinks.collect(),
        }
    }
}
