//! Webhooks that are refused, or don't come: counted for all processes, and an alarm after a while.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use eventify_kernel::alarms::{self, Alarm};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use eventify_kernel::telemetry::LogThrottle;
use eventify_protocol::ids::PaymentId;
use serde_json::{Value, json};

use super::unknown;
use crate::contexts::payment::gateway::WebhookError;
use crate::contexts::payment::model::{Trouble, is_of_provider};
use crate::contexts::payment::{App, NAME, store};

const REJECTED: &str = "payment.webhooks_rejected";
const REJECTED_ACT: &str = "webhooks about our payments are refused, so what customers and banks do is known \
    late: if their secret was rolled, put the new one beside the old into \
    payment.stripe.webhook_secrets of every process, and restart; if the cause is outside_tolerance, set \
    the clock; if it is malformed, something between changes the body; an endpoint that is not ours \
    should not get them. It ends by itself, a quarter of an hour after the last refusal";
const MISSING: &str = "payment.webhooks_missing";
const MISSING_ACT: &str = "the comparison has found what no webhook told, and none has come since: see at \
    the payment provider whether the endpoint is switched on, reaches POST /webhooks/psp, and sends \
    snapshot events (thin ones are not read). It ends by itself with the next webhook";
const CONTRADICTED: &str = "payment.webhook_contradicted";
const CONTRADICTED_ACT: &str = "a webhook with the right signature says that a payment is captured, and the payment \
    provider denies it: nothing was paid by it, but somebody else may know the webhook secret. Roll it at the \
    provider and in payment.stripe.webhook_secrets of every process, and restart";

/// Shortest time between two log lines about one cause, in a process: anybody can have them written.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Log lines about refused webhooks, by cause.
#[derive(Debug, Default)]
pub(crate) struct RefusalLog(Mutex<BTreeMap<&'static str, LogThrottle>>);

impl RefusalLog {
    /// How many were not logged since the last line, if one may be written now.
    fn permit(&self, cause: &'static str, now: std::time::Instant) -> Option<u64> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(cause);
        line.or_insert_with(|| LogThrottle::every(LOG_EVERY))
            .permit(now)
    }
}

/// Notes that a webhook was refused. Only one of the provider's costs a write.
pub(crate) async fn webhook_refused(app: &App, error: WebhookError, body: &[u8]) -> DbResult<()> {
    let cause = error.name();
    if let Some(suppressed) = app.state.refusals.permit(cause, app.clock.instant()) {
        tracing::warn!(code = "payment.webhook_rejected", %error, suppressed,
            "a webhook was rejected");
    }
    if error == WebhookError::NoSignature {
        return Ok(());
    }
    let installation = unknown::installation(app).await?;
    if is_of_provider(error, body, installation) {
        let mut conn = app.db.read(NAME).await?;
        store::webhooks::count_refused(&mut conn, cause, app.clock.now()).await?;
    }
    Ok(())
}

/// Raises and clears the alarms.
pub(crate) async fn watch_webhooks(app: &App, cause: &Cause) -> DbResult<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let (watch, refused, why) = store::webhooks::lock(&mut tx).await?;
    let since = watch.refused.map(|(since, _)| since);
    let details = json!({ "refused": refused, "since": since, "cause": why });
    let rejected = watch.rejected(now);
    note(&mut tx, (REJECTED, REJECTED_ACT), (rejected, details), now).await?;
    if rejected == Trouble::Over {
        store::webhooks::end_refused(&mut tx).await?;
    }
    let details = json!({ "since": watch.missed_since });
    let missing = watch.missing(now);
    note(&mut tx, (MISSING, MISSING_ACT), (missing, details), now).await?;
    if missing == Trouble::Over {
        store::webhooks::end_missed(&mut tx).await?;
    }
    tx.commit().await
}

/// Somebody signs webhooks who is not the provider.
pub(super) async fn contradicted(
    tx: &mut Tx,
    payment: PaymentId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    tracing::error!(code = "payment.webhook_contradicted", payment_id = %payment,
        "a signed webhook says that a payment is captured, and the payment provider denies it");
    let alarm = Alarm {
        momentary: true,
        ..Alarm::new(CONTRADICTED, NAME, CONTRADICTED_ACT)
    };
    alarms::raise(tx, &alarm.with(json!({ "paymentId": payment })), now).await
}

async fn note(
    tx: &mut Tx,
    (kind, act): (&'static str, &'static str),
    (trouble, details): (Trouble, Value),
    now: DateTime<Utc>,
) -> DbResult<()> {
    match trouble {
        Trouble::Stands => {
            let alarm = Alarm::new(kind, NAME, act).with(details);
            alarms::raise(tx, &alarm, now).await
        }
        Trouble::Over => alarms::clear(tx, kind, NAME, now).await,
        Trouble::None | Trouble::Perhaps => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use eventify_kernel::clock::Clock;

    use super::*;

    #[test]
    fn a_strangers_requests_are_a_line_a_minute_for_each_cause() {
        let (log, start) = (RefusalLog::default(), Clock::system().instant());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(log.permit("wrong_signature", at(0)), Some(0));
        for second in 1..60 {
            assert_eq!(log.permit("wrong_signature", at(second)), None);
        }
        assert_eq!(log.permit("malformed", at(59)), Some(0));
        assert_eq!(log.permit("wrong_signature", at(60)), Some(59));
    }
}
