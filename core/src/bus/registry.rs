//! What a context hears: one function for each foreign event, one for each pipe of the edges.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::app::App;
use crate::db::Tx;
use crate::event::{DomainEvent, Envelope, Malformed, Received};
use crate::failure::Failure;
use crate::names::short_name;

/// An `async fn on_…(app: &App, tx: &mut Tx, event: Received<E>) -> Result<(), Failure>`.
pub trait ConsumerFn<'a, E>: Send + Sync {
    /// The function's future.
    type Done: Future<Output = Result<(), Failure>> + Send + 'a;
    /// Calls it.
    fn call(&self, app: &'a App, tx: &'a mut Tx, event: Received<E>) -> Self::Done;
}

impl<'a, E, F, Done> ConsumerFn<'a, E> for F
where
    F: Fn(&'a App, &'a mut Tx, Received<E>) -> Done + Send + Sync,
    Done: Future<Output = Result<(), Failure>> + Send + 'a,
{
    type Done = Done;

    fn call(&self, app: &'a App, tx: &'a mut Tx, event: Received<E>) -> Done {
        self(app, tx, event)
    }
}

/// An `async fn on_…(app: &App, tx: &mut Tx, events: Vec<Received<E>>) -> Result<(), Failure>`.
pub trait GroupConsumerFn<'a, E>: Send + Sync {
    /// The function's future.
    type Done: Future<Output = Result<(), Failure>> + Send + 'a;
    /// Calls it.
    fn call(&self, app: &'a App, tx: &'a mut Tx, events: Vec<Received<E>>) -> Self::Done;
}

impl<'a, E, F, Done> GroupConsumerFn<'a, E> for F
where
    F: Fn(&'a App, &'a mut Tx, Vec<Received<E>>) -> Done + Send + Sync,
    Done: Future<Output = Result<(), Failure>> + Send + 'a,
{
    type Done = Done;

    fn call(&self, app: &'a App, tx: &'a mut Tx, events: Vec<Received<E>>) -> Done {
        self(app, tx, events)
    }
}

type Handling<'a> = Result<BoxFuture<'a, Result<(), Failure>>, Malformed>;

type HandleOne = dyn for<'a> Fn(&'a App, &'a mut Tx, &Envelope) -> Handling<'a> + Send + Sync;
type HandleMany = dyn for<'a> Fn(&'a App, &'a mut Tx, &[&Envelope]) -> Handling<'a> + Send + Sync;

#[derive(Clone)]
pub(super) enum Handle {
    /// Each message has a transaction of its own.
    Alone(Arc<HandleOne>),
    /// Messages share one.
    Together(Arc<HandleMany>),
}

/// One handler of one event type.
#[derive(Clone)]
pub struct Handler {
    /// Event type.
    pub kind: &'static str,
    /// The function's name.
    pub name: &'static str,
    pub(super) handle: Handle,
}

impl Handler {
    pub(super) fn is_together(&self) -> bool {
        matches!(self.handle, Handle::Together(_))
    }

    /// The effect of messages, which are one unless the handler takes them together.
    pub(super) async fn call(
        &self,
        app: &App,
        tx: &mut Tx,
        envelopes: &[&Envelope],
    ) -> Result<(), Failure> {
        match &self.handle {
            Handle::Together(handle) => handle(app, tx, envelopes)?.await,
            Handle::Alone(handle) => {
                for envelope in envelopes {
                    handle(app, &mut *tx, envelope)?.await?;
                }
                Ok(())
            }
        }
    }
}

/// One message of an edge node, as it came over MQTT.
#[derive(Clone, Debug)]
pub struct PipeMessage {
    /// `ev1.up.<node>.<kind>`; the node part is proven by the broker's topic rights.
    pub routing_key: String,
    /// CBOR.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {}", self.kind, self.name)
    }
}

type PipeHandle =
    Arc<dyn Fn(App, PipeMessage) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;

/// One handler of one pipe.
#[derive(Clone)]
pub struct PipeHandler {
    /// Queue.
    pub pipe: super::Pipe,
    /// The function's name.
    pub name: &'static str,
    pub(super) handle: PipeHandle,
}

impl std::fmt::Debug for PipeHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {}", self.pipe.queue(), self.name)
    }
}

/// A context's handlers.
#[derive(Clone, Default)]
pub struct Consumers {
    pub(super) handlers: Vec<Handler>,
    pub(super) pipes: Vec<PipeHandler>,
}

impl std::fmt::Debug for Consumers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let handlers = self
            .handlers
            .iter()
            .map(|handler| (handler.kind, handler.name));
        f.debug_list().entries(handlers).finish()
    }
}

impl Consumers {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hears `E`. The loop opens the transaction, notes the message in the inbox, calls the
    /// function and commits; a second delivery never reaches the function. So the function makes no
    /// call that takes long: it writes down what is to be done and wakes a job.
    #[must_use]
    pub fn on<E, F>(self, consumer: F) -> Self
    where
        E: DomainEvent,
        F: for<'a> ConsumerFn<'a, E> + Copy + 'static,
    {
        let handle = Handle::Alone(Arc::new(move |app, tx, envelope| {
            let event = envelope.open::<E>()?;
            Ok(consumer.call(app, tx, event).boxed())
        }));
        self.hear(E::TYPE, short_name::<F>(), handle)
    }

    /// Hears `E`, those messages together that come while a transaction runs. If it fails, each of
    /// them is tried alone. The function publishes nothing: the transaction has many causes.
    #[must_use]
    pub fn together<E, F>(self, consumer: F) -> Self
    where
        E: DomainEvent,
        F: for<'a> GroupConsumerFn<'a, E> + Copy + 'static,
    {
        let handle = Handle::Together(Arc::new(move |app, tx, envelopes| {
            let events = envelopes.iter().map(|envelope| envelope.open::<E>());
            let events = events.collect::<Result<_, _>>()?;
            Ok(consumer.call(app, tx, events).boxed())
        }));
        self.hear(E::TYPE, short_name::<F>(), handle)
    }

    fn hear(mut self, kind: &'static str, name: &'static str, handle: Handle) -> Self {
        self.handlers.push(Handler { kind, name, handle });
        self
    }

    /// Takes a pipe of the edges. The message is acknowledged when the function has returned,
    /// whatever it returned: edges ask again, the broker doesn't have to remember.
    #[must_use]
    pub fn pipe<F, Done>(mut self, pipe: super::Pipe, consumer: F) -> Self
    where
        F: Fn(App, PipeMessage) -> Done + Send + Sync + 'static,
        Done: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let handle: PipeHandle = Arc::new(move |app, message| consumer(app, message).boxed());
        self.pipes.push(PipeHandler {
            pipe,
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

    /// Whether nothing is heard.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.handlers.is_empty()
    }

    pub(crate) fn pipes(&self) -> Vec<PipeHandler> {
        self.pipes.clone()
    }

    pub(super) fn find(&self, kind: &str) -> Option<&Handler> {
        self.handlers.iter().find(|handler| handler.kind == kind)
    }
}
