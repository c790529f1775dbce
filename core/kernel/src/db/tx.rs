//! A context's transaction: rows, outbox and inbox commit together or not at all.

use std::ops::{Deref, DerefMut};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::{DbError, DbResult, inbox, outbox, tasks};
use crate::app::App;
use crate::arrivals::Arrivals;
use crate::cause::Cause;
use crate::event::{DomainEvent, Envelope};
use crate::outbox_notifier::OutboxNotifier;
use crate::schemas::Schemas;
use crate::tasks::Task;

/// A transaction of one context. Dropped without [`Tx::commit`] it rolls back.
///
/// It is a connection too: store functions take `&mut PgConnection` and get `&mut tx`.
#[derive(Debug)]
pub struct Tx {
    inner: Transaction<'static, Postgres>,
    context: &'static str,
    cause: Cause,
    schemas: Schemas,
    outbox: Vec<outbox::NewRow>,
    notifier: OutboxNotifier,
    wakes: Vec<crate::jobs::Wake>,
    arrivals: Arrivals,
    arrived: Vec<Uuid>,
}

impl Tx {
    pub(super) fn new(
        inner: Transaction<'static, Postgres>,
        context: &'static str,
        cause: Cause,
        schemas: Schemas,
        (notifier, arrivals): (OutboxNotifier, Arrivals),
    ) -> Self {
        Self {
            inner,
            context,
            cause,
            schemas,
            outbox: Vec::new(),
            notifier,
            wakes: Vec::new(),
            arrivals,
            arrived: Vec::new(),
        }
    }

    /// What started this work.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Publishes an event if and when this transaction commits. `version` is the
    /// aggregate's version after the change; `id` is the message's id (`app.clock.new_id()`).
    ///
    /// # Panics
    /// In debug builds, when the event doesn't fit its own schema or has no routing key.
    pub fn publish<E: DomainEvent>(&mut self, id: Uuid, version: i32, event: &E) {
        let cause = self.cause.clone();
        self.publish_for(&cause, id, version, event);
    }

    /// The same for one of several pieces of work that share this transaction.
    ///
    /// # Panics
    /// As [`Tx::publish`].
    pub fn publish_for<E: DomainEvent>(
        &mut self,
        cause: &Cause,
        id: Uuid,
        version: i32,
        event: &E,
    ) {
        let row = outbox::NewRow::new(id, version, event, cause);
        if cfg!(debug_assertions) {
            self.schemas
                .check(E::TYPE, &row.payload)
                .expect("an event fits its own schema");
        }
        self.outbox.push(row);
    }

    /// Wakes a job of this process when the transaction has committed
    /// (`app.jobs.wake(DRIVE_REFUNDS)`). The job's timer is the safety net.
    pub fn wake(&mut self, wake: crate::jobs::Wake) {
        self.wakes.push(wake);
    }

    /// Tells the requests of this process that wait for something with this id, when the transaction has
    /// committed ([`Arrivals`]).
    pub fn arrived(&mut self, what: Uuid) {
        self.arrived.push(what);
    }

    /// Requests a task of this context, due now; its job wakes when this transaction has committed.
    ///
    /// # Errors
    /// The row can't be written.
    pub async fn request<T: Task>(&mut self, app: &App, task: &T) -> DbResult<()> {
        self.request_at(app, task, app.clock.now()).await?;
        self.wake(app.jobs.wake(T::JOB));
        Ok(())
    }

    /// The same, due later: the caller does the work itself until then.
    ///
    /// # Errors
    /// The row can't be written.
    pub async fn request_at<T: Task>(
        &mut self,
        app: &App,
        task: &T,
        due_at: DateTime<Utc>,
    ) -> DbResult<()> {
        let payload = serde_json::to_value(task).map_err(DbError::impossible_row)?;
        let which = (T::JOB.name, task.key());
        let times = (app.clock.now(), due_at);
        tasks::request(&mut self.inner, which, &payload, times, &self.cause).await
    }

    /// Removes a task whose work is not wanted any more.
    ///
    /// # Errors
    /// The row can't be deleted.
    pub async fn withdraw<T: Task>(&mut self, key: Uuid) -> DbResult<()> {
        tasks::withdraw(&mut self.inner, T::JOB.name, key).await
    }

    /// Notes messages in the inbox, and answers those that were not there: for the others there is
    /// nothing to do.
    ///
    /// # Errors
    /// The insert failed.
    pub async fn first_time<'a>(
        &mut self,
        messages: &'a [Envelope],
    ) -> DbResult<Vec<&'a Envelope>> {
        let mut new = inbox::first_time(&mut self.inner, messages).await?;
        // One message can come twice in a group.
        let first = messages.iter().filter(|message| new.remove(&message.id));
        Ok(first.collect())
    }

    /// Ends the transaction without an effect. One that is only dropped ends a moment later, and
    /// keeps its locks until then.
    ///
    /// # Errors
    /// The connection broke; nothing was committed.
    pub async fn rollback(self) -> DbResult<()> {
        Ok(self.inner.rollback().await?)
    }

    /// Writes the outbox and commits; then the relay is notified.
    ///
    /// # Errors
    /// Nothing was committed, except when the connection broke during the commit itself.
    pub async fn commit(mut self) -> DbResult<()> {
        let has_events = !self.outbox.is_empty();
        if has_events {
            outbox::insert(&mut self.inner, &self.outbox).await?;
        }
        self.inner.commit().await?;
        if has_events {
            self.notifier.committed(self.context);
        }
        for wake in self.wakes {
            wake.deliver();
        }
        for what in self.arrived {
            self.arrivals.arrived(what);
        }
        Ok(())
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}
