//! A context's transaction: rows, outbox and inbox commit together or not at all.

use std::ops::{Deref, DerefMut};

use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::{DbResult, inbox, outbox};
use crate::bell::Bell;
use crate::cause::Cause;
use crate::event::{DomainEvent, Envelope};
use crate::schemas::Schemas;

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
    bell: Bell,
    wakes: Vec<crate::jobs::Wake>,
}

impl Tx {
    pub(super) fn new(
        inner: Transaction<'static, Postgres>,
        context: &'static str,
        cause: Cause,
        schemas: Schemas,
        bell: Bell,
    ) -> Self {
        Self {
            inner,
            context,
            cause,
            schemas,
            outbox: Vec::new(),
            bell,
            wakes: Vec::new(),
        }
    }

    /// What started this work.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Tells the other contexts, if and when this transaction commits. `version` is the
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
    /// (`app.jobs.wake("refunds")`). The job's timer is the safety net.
    pub fn wake(&mut self, wake: crate::jobs::Wake) {
        self.wakes.push(wake);
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

    /// Writes the outbox and commits; then the relay's bell rings.
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
            self.bell.ring(self.context);
        }
        for wake in self.wakes {
            wake.deliver();
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
