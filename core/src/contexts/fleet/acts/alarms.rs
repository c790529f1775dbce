//! Alarms: logged, and stored for the venue's staff.

use eventify_kernel::alarms::{self as standing, Acknowledged, Acknowledgement, AlarmRow};
use eventify_kernel::auth::{Principal, Role};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::text;
use uuid::Uuid;

use super::{FleetError, venues};
use crate::contexts::fleet::model::alarm::{Alarm, Code, ORGANISATION, ORGANISER, VENUE};
use crate::contexts::fleet::model::node::MAX_NAME_CHARS;
use crate::contexts::fleet::{App, NAME};

/// Raises an alarm in a transaction of its own.
pub(crate) async fn raise(app: &App, alarm: &Alarm) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    raise_in(app, &mut conn, alarm).await
}

/// Raises an alarm in a transaction: with the change that it is about, or not at all.
pub(crate) async fn raise_in(app: &App, conn: &mut PgConnection, alarm: &Alarm) -> DbResult<()> {
    tracing::debug!(
        alarm = alarm.code.name(),
        node_id = alarm.node.map(tracing::field::display),
        venue_id = alarm.venue.map(tracing::field::display),
        "an alarm occurs"
    );
    standing::raise(conn, &alarm.row(), app.clock.now()).await
}

/// Ends an alarm in a transaction: what it was about is over.
pub(crate) async fn end_in(
    app: &App,
    conn: &mut PgConnection,
    code: Code,
    subject: &impl ToString,
) -> DbResult<()> {
    standing::clear(conn, code.name(), &subject.to_string(), app.clock.now()).await
}

/// Raises these, and ends those of the code that are not among them.
pub(crate) async fn set_in(
    app: &App,
    conn: &mut PgConnection,
    code: Code,
    alarms: &[Alarm],
) -> DbResult<()> {
    let rows: Vec<_> = alarms.iter().map(Alarm::row).collect();
    standing::set(conn, code.name(), &rows, app.clock.now()).await
}

/// What the caller may see the alarms of: their venues, their shows; `None` for all.
pub(crate) async fn visible(
    conn: &mut PgConnection,
    principal: &Principal,
) -> DbResult<Option<Vec<String>>> {
    let Some(venues) = venues::visible(conn, principal).await? else {
        return Ok(None);
    };
    let mut visible: Vec<_> = venues
        .iter()
        .map(|venue| format!("{VENUE}={venue}"))
        .collect();
    if principal.has_role(Role::Organizer) {
        visible.push(format!("{ORGANISER}={}", principal.user_id));
        visible.extend(
            principal
                .org_id
                .iter()
                .map(|org| format!("{ORGANISATION}={org}")),
        );
    }
    Ok(Some(visible))
}

/// Somebody takes an alarm up that they may see, and ends it with `read`, how often it had occurred then, if
/// it has happened: what has come after that is not ended. Who was first stays named.
pub(crate) async fn acknowledge(
    app: &App,
    principal: &Principal,
    (id, read): (Uuid, Option<i64>),
    name: Option<&str>,
) -> Result<AlarmRow, FleetError> {
    let name = text::line(name.unwrap_or(&principal.sub), 1..=MAX_NAME_CHARS);
    let name = &name.map_err(|unfit| FleetError::Invalid("name", unfit.to_string()))?;
    let mut conn = app.db.read(NAME).await?;
    let visible = visible(&mut conn, principal).await?;
    drop(conn);
    let found = standing::find(app, id).await?;
    let (context, alarm) = found.ok_or(FleetError::AlarmNotFound)?;
    match visible {
        Some(visible) if !alarm.is_about_any(&visible) => {
            return Err(match alarm.about(VENUE) {
                Some(_) => FleetError::NotYourVenue,
                None => FleetError::AlarmNotFound,
            });
        }
        Some(_) | None => {}
    }
    let by = Acknowledgement {
        by: principal.user_id,
        name,
        at: app.clock.now(),
    };
    match standing::acknowledge(app, context, (id, read), by).await? {
        Some(Acknowledged::Done(alarm)) => Ok(*alarm),
        Some(Acknowledged::OccurredAgain(times)) => Err(FleetError::OccurredAgain(times)),
        Some(Acknowledged::NotSoOften(times)) => {
            let issue = format!("it has occurred {times} times, not more");
            Err(FleetError::Invalid("occurrences", issue))
        }
        None => Err(FleetError::AlarmNotFound),
    }
}
