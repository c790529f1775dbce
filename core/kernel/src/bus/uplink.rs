//! The uplink of the edges: MQTT messages, collected in a few queues that any number of processes
//! consume (ADMISSION 6.1).

use std::collections::HashMap;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::answers::answered;
use super::in_hand::{InHand, Waiting};
use super::registry::{UplinkHandler, UplinkMessage};
use super::shares::Shares;
use super::{BusError, Purpose, topology};
use crate::app::App;
use crate::config;
use crate::connectivity::Pauses;
use crate::db::Work;
use crate::failure::Failure;
use crate::supervision::caught;

/// One kind of uplink traffic with its own queue, so that none waits behind another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uplink {
    /// Its queue's name is `<name>.q`. That of releases before 2, whose queue had no bounds, is the name.
    pub name: &'static str,
    /// What it takes, and how much of each sender.
    pub bindings: &'static [Binding],
    /// Kept across a restart of the broker; else short-lived.
    pub is_durable: bool,
    /// Whether its messages share transactions: then all that were taken are worked on at once.
    pub is_grouped: bool,
}

/// A kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Routing key on the MQTT exchange: `ev1.up.*.ask`.
    pub(super) key: &'static str,
    /// What a sender may send of it: so many a second, after so many at once. More is dropped.
    pub(super) per_second: u32,
    pub(super) burst: u32,
    /// And so many a second beside that, while three quarters of the places to work on them are free.
    pub(super) spare_per_second: u32,
    /// Of each sender one is worked on at a time.
    pub(super) one_at_a_time: bool,
}

impl Binding {
    #[must_use]
    pub const fn of(key: &'static str, per_second: u32, burst: u32) -> Self {
        Self {
            key,
            per_second,
            burst,
            spare_per_second: 0,
            one_at_a_time: false,
        }
    }

    /// Works on one of each sender at a time, however long that takes. The newest that comes meanwhile is next,
    /// and earlier ones are not worked on.
    #[must_use]
    pub const fn one_at_a_time(self) -> Self {
        Self {
            one_at_a_time: true,
            ..self
        }
    }

    /// Lets a sender have more while others would not wait for it.
    #[must_use]
    pub const fn with_spare(self, spare_per_second: u32) -> Self {
        Self {
            spare_per_second,
            ..self
        }
    }

    /// Whether a routing key is of this kind, whoever sent it.
    pub(super) fn matches(&self, routing_key: &str) -> bool {
        let mut sent = routing_key.split('.');
        let mut wanted = self.key.split('.');
        loop {
            match (wanted.next(), sent.next()) {
                (None, None) => return true,
                (Some(wanted), Some(sent)) if wanted == "*" || wanted == sent => {}
                (Some(_) | None, Some(_) | None) => return false,
            }
        }
    }
}

impl Uplink {
    /// Its queue.
    #[must_use]
    pub fn queue(self) -> String {
        if self.is_durable {
            topology::kept_queue(self.name)
        } else {
            topology::queue(self.name)
        }
    }

    /// Queues that earlier releases had for the same messages: a queue's arguments can't be changed.
    pub(super) fn former_queues(self) -> Vec<String> {
        let unbounded = self.name.to_owned();
        let parking_all = self.is_durable.then(|| topology::queue(self.name));
        [unbounded].into_iter().chain(parking_all).collect()
    }

    /// Messages that are worked on at once.
    const fn at_once(self, config: &config::Bus) -> u16 {
        if self.is_grouped {
            config.prefetch
        } else {
            config.concurrency
        }
    }
}

/// Consumes an uplink queue until `stop`.
pub async fn consume(app: App, handler: UplinkHandler, stop: CancellationToken) {
    let app = app.for_work(Work::Gates);
    let mut pauses = Pauses::default();
    let shares = Shares::new(handler.uplink.bindings);
    while !stop.is_cancelled() {
        if let Err(error) = session(&app, &handler, &shares, &stop).await {
            let (pause, is_news) = error.pause(&mut pauses);
            if is_news {
                let queue = handler.uplink.name;
                tracing::warn!(code = "bus.uplink_interrupted", queue, %error,
                    "the uplink consumer was interrupted and starts again");
            }
            stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }
}

async fn session(
    app: &App,
    handler: &UplinkHandler,
    shares: &Shares,
    stop: &CancellationToken,
) -> Result<(), BusError> {
    let name = handler.uplink.name;
    let config = app.bus.config();
    let at_once = handler.uplink.at_once(config);
    let channel = app.bus.channel(Purpose::Uplink).await?;
    // What lies here is memory that a sender chose, and the broker counts messages, not bytes: of journals,
    // none is taken ahead of work. Of the others a flood has to be dropped faster than it comes.
    let ahead = if handler.uplink.is_durable {
        at_once.min(config.prefetch)
    } else {
        config.prefetch
    };
    answered(channel.basic_qos(ahead, BasicQosOptions::default())).await?;
    let mut deliveries = answered(channel.basic_consume(
        handler.uplink.queue().into(),
        name.into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    ))
    .await?;
    let mut session = Session::new(app, handler, shares, usize::from(at_once));
    let ended = loop {
        tokio::select! {
            () = stop.cancelled() => {
                let options = BasicCancelOptions::default();
                break answered(channel.basic_cancel(name.into(), options)).await;
            }
            Some(done) = session.working.join_next_with_id() => session.end(done),
            delivery = deliveries.next() => match delivery {
                Some(Ok(delivery)) => session.take(delivery).await,
                Some(Err(error)) => break Err(error.into()),
                None => break Ok(()),
            },
        }
        session.begin();
    };
    // What waits goes back to the broker with the channel, and from there to another process.
    while session.working.join_next().await.is_some() {}
    ended?;
    if stop.is_cancelled() {
        return Ok(());
    }
    Err(BusError::NotTaken(
        "the broker ended the consumer".to_owned(),
    ))
}

/// What a consumer does with what the broker delivers to it. It waits for no place: what is not to be worked
/// on is dropped while all places are taken, too.
struct Session<'a> {
    app: &'a App,
    handler: &'a UplinkHandler,
    shares: &'a Shares,
    places: usize,
    in_hand: InHand<Delivery>,
    working: JoinSet<()>,
    routing_keys: HashMap<Id, String>,
}

impl<'a> Session<'a> {
    fn new(app: &'a App, handler: &'a UplinkHandler, shares: &'a Shares, places: usize) -> Self {
        Self {
            app,
            handler,
            shares,
            places,
            in_hand: InHand::new(handler.uplink.bindings, places),
            working: JoinSet::new(),
            routing_keys: HashMap::new(),
        }
    }

    /// Keeps a message in hand, or drops it.
    async fn take(&mut self, delivery: Delivery) {
        while let Some(done) = self.working.try_join_next_with_id() {
            self.end(done);
        }
        let has_places = self.in_hand.free() > self.places * 3 / 4;
        let key = delivery.routing_key.to_string();
        let now = self.app.clock.instant();
        let unwanted = match self.shares.take(&key, has_places, now) {
            Some(taken) => self.in_hand.put(&key, delivery, taken.dropped),
            None => Some(delivery),
        };
        if let Some(unwanted) = unwanted {
            acknowledge(self.handler.uplink.name, &unwanted).await;
        }
    }

    /// Begins to work on what waits, as far as there are places.
    fn begin(&mut self) {
        while let Some(next) = self.in_hand.begin() {
            let routing_key = next.routing_key.clone();
            let handling = handle(self.app.clone(), self.handler.clone(), next);
            let id = self.working.spawn(handling).id();
            self.routing_keys.insert(id, routing_key);
        }
    }

    fn end(&mut self, done: Result<(Id, ()), JoinError>) {
        let id = match done {
            Ok((id, ())) => id,
            Err(error) => error.id(),
        };
        if let Some(key) = self.routing_keys.remove(&id) {
            self.in_hand.end(&key);
        }
    }
}

/// Works on a message, and takes it from its queue whatever comes of it.
async fn handle(app: App, handler: UplinkHandler, next: Waiting<Delivery>) {
    let queue = handler.uplink.name;
    let (mut delivery, dropped_before) = (next.message, next.dropped);
    let message = UplinkMessage {
        routing_key: next.routing_key,
        body: std::mem::take(&mut delivery.data),
        dropped_before,
    };
    if dropped_before > 0 {
        tracing::warn!(
            code = "bus.uplink_sender_floods",
            queue,
            routing_key = message.routing_key,
            messages = dropped_before,
            "a sender sends more than its share, and the rest was dropped"
        );
    }
    let handled = caught((handler.handle)(app, message)).await;
    if let Err(failure) = handled.map_err(Failure::from).flatten() {
        tracing::warn!(code = "bus.uplink_message_failed", queue, handler = handler.name,
            error = %failure, "an uplink message could not be handled; the node asks again");
    }
    acknowledge(queue, &delivery).await;
}

async fn acknowledge(queue: &str, delivery: &Delivery) {
    if let Err(error) = answered(delivery.acker.ack(BasicAckOptions::default())).await {
        tracing::warn!(code = "bus.not_acknowledged", queue, %error,
            "a message was not acknowledged; the broker delivers it again");
    }
}
