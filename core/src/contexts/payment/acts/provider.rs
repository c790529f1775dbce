//! Calls to the provider: each kind behind its own breaker and at its own pace, outside of every
//! transaction; and the alarms of an outage.

use chrono::TimeDelta;
use eventify_kernel::alarms::{self, Alarm, Filter};
use eventify_kernel::breaker::{CallError, IsFault};
use eventify_kernel::db::{DbError, DbResult};
use eventify_kernel::failure::Failure;
use eventify_kernel::tasks::Outcome;
use serde_json::json;

use crate::contexts::payment::gateway::{Calls, GatewayCall, GatewayError, Line, Listing, Made};
use crate::contexts::payment::{App, NAME};

const KEY_REJECTED: &str = "payment.key_rejected";
const UNAVAILABLE: &str = "payment.provider_unavailable";
const MISSING: &str = "payment.object_missing";

/// Why a payment or refund could not be advanced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdvanceError {
    /// The next request stays stored with the state.
    #[error(transparent)]
    Provider(#[from] CallError<GatewayError>),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl IsFault for GatewayError {
    /// What says that the provider, or our account there, doesn't work at all. A single object that
    /// is missing says nothing about the next call.
    fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Failed | Self::KeyRejected(_)
        )
    }
}

/// How long until an object that the provider doesn't know is asked for again.
fn missing_pause() -> TimeDelta {
    TimeDelta::minutes(5)
}

/// Calls the provider.
pub(super) async fn call<T: Send + 'static>(
    app: &App,
    calls: Calls,
    attempt: impl Fn() -> GatewayCall<T>,
) -> Result<T, CallError<GatewayError>> {
    let line = app.state.lines.of(calls);
    if let Some(left) = line.pace.left() {
        return Err(CallError::Callee(GatewayError::SlowDown(Some(left))));
    }
    let mut result = line.breaker.call(attempt).await;
    match &mut result {
        Err(CallError::Callee(GatewayError::SlowDown(asked))) => {
            *asked = Some(line.pace.slow_down(*asked));
        }
        // Not asked, so nothing is known.
        Err(CallError::Open) => {}
        Ok(_)
        | Err(CallError::Callee(
            GatewayError::Declined(_) | GatewayError::MovedOn(_) | GatewayError::Refused(_),
        )) => {
            line.pace.went_well();
            is_well(app, line).await;
        }
        Err(error) => is_troubled(app, line, error).await,
    }
    result
}

/// What a failed call means for the task that made it. An outage is nobody's decision: the work waits
/// and goes through later.
pub(crate) fn postponed(app: &App, error: AdvanceError) -> Result<Outcome, Failure> {
    let AdvanceError::Provider(CallError::Callee(error)) = error else {
        return Err(Failure::retry(error));
    };
    match error {
        GatewayError::SlowDown(left) => {
            let left = left.unwrap_or(TimeDelta::seconds(1));
            // Apart, so that not all come back at once.
            let more = app.clock.jitter() * 1_000.0;
            #[expect(clippy::cast_possible_truncation, reason = "below a second")]
            let jitter = TimeDelta::milliseconds(more as i64);
            Ok(Outcome::After(left + jitter))
        }
        GatewayError::Missing(_) => Ok(Outcome::After(missing_pause())),
        error @ (GatewayError::Unavailable(_)
        | GatewayError::Failed
        | GatewayError::KeyRejected(_)
        | GatewayError::Declined(_)
        | GatewayError::MovedOn(_)
        | GatewayError::Refused(_)) => Err(Failure::retry(error)),
    }
}

async fn is_troubled(app: &App, line: &Line, error: &CallError<GatewayError>) {
    let (kind, act) = match error {
        CallError::Callee(GatewayError::KeyRejected(_)) => (
            KEY_REJECTED,
            "the payment provider doesn't take our key: put a valid one into \
             payment.stripe.secret_key (or give the restricted key its rights) and restart; nobody \
             was declined, orders and refunds wait and go through by themselves",
        ),
        CallError::Callee(GatewayError::Missing(_)) => (
            MISSING,
            "the payment provider doesn't know what it made for us: check that \
             payment.stripe.secret_key belongs to the account and mode (live, test) of these \
             payments; what waits goes through by itself then",
        ),
        CallError::Callee(
            GatewayError::Unavailable(_)
            | GatewayError::Failed
            | GatewayError::SlowDown(_)
            | GatewayError::Declined(_)
            | GatewayError::MovedOn(_)
            | GatewayError::Refused(_),
        )
        | CallError::Open
        | CallError::TimedOut
        | CallError::Broke(_) => (
            UNAVAILABLE,
            "the payment provider doesn't answer as it should: look at its status page and at our \
             line to it; orders and refunds wait and go through by themselves",
        ),
    };
    line.is_troubled();
    let alarm = Alarm::new(kind, line.name, act)
        .with(json!({ "error": error.to_string() }))
        .stops(line.stops);
    let raised = async {
        let mut conn = app.db.read(NAME).await?;
        alarms::raise(&mut conn, &alarm, app.clock.now()).await
    };
    noted(raised.await);
}

/// Asks a provider that did not answer once more, over the same line: its alarm ends also while nobody
/// buys, and nobody asks for money back.
pub(crate) async fn ask_again(app: &App) -> DbResult<()> {
    let standing = Filter {
        kind: Some(UNAVAILABLE.to_owned()),
        states: Some(vec![alarms::State::Open, alarms::State::Acknowledged]),
        ..Filter::default()
    };
    let most = i64::try_from(Calls::ALL.len()).unwrap_or(i64::MAX);
    let (standing, _) = alarms::list(app, &standing, (0, most)).await?;
    for calls in Calls::ALL {
        let line = app.state.lines.of(calls);
        if !standing.iter().any(|alarm| alarm.subject == line.name) {
            continue;
        }
        // Another process may have raised it.
        line.is_troubled();
        let newest = Listing {
            made: Made::Intents,
            since: app.clock.now(),
            after: None,
        };
        let _noted = call(app, calls, || app.state.gateway.list_made(newest.clone())).await;
    }
    Ok(())
}

async fn is_well(app: &App, line: &Line) {
    if !line.is_well() {
        return;
    }
    let cleared = async {
        let mut conn = app.db.read(NAME).await?;
        for kind in [KEY_REJECTED, UNAVAILABLE, MISSING] {
            alarms::clear(&mut conn, kind, line.name, app.clock.now()).await?;
        }
        DbResult::Ok(())
    };
    let cleared = cleared.await;
    if cleared.is_err() {
        line.is_troubled();
    }
    noted(cleared);
}

/// The call's own answer counts more than its alarm.
fn noted(written: DbResult<()>) {
    if let Err(error) = written {
        tracing::warn!(code = "payment.alarm_not_written", %error,
            "an alarm about the payment provider could not be written or cleared");
    }
}
