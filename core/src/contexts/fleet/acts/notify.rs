//! Mails what alarms begin and end: each begin and each end once, those of a while together.

use std::fmt::Write as _;

use eventify_kernel::alarms::{self as standing, Alarm};
use eventify_kernel::failure::Failure;
use eventify_kernel::mail::Refused;
use serde_json::{Value, json};

use crate::contexts::fleet::store::alarms::{self, ListedAlarm};
use crate::contexts::fleet::{App, NAME};

const NOT_SENT: &str = "alarms.mail_not_sent";
const ACT: &str = "people are not told of alarms by mail: look at the mail server, and at alarms.smtp_url and \
                   alarms.mail_to of the configuration. What they were not told is sent again by itself, but not \
                   to an address that the server refuses while it takes others";
/// Most of one context in one mail; the others come with the next.
const MOST: u16 = 50;

/// Mails what is new, if the last mail is long enough ago. What nobody got is sent again.
pub(crate) async fn notify(app: &App) -> Result<(), Failure> {
    let Some(mail) = &app.mail else {
        return Ok(());
    };
    if !app
        .state
        .may_mail(app.clock.now(), app.config.alarms.mail_every())
    {
        return Ok(());
    }
    let unsent = standing::list_unsent(app, app.clock.now(), MOST).await?;
    if unsent.is_empty() {
        return Ok(());
    }
    app.state.mailed(app.clock.now());
    let mut conn = app.db.read(NAME).await?;
    let news = unsent
        .iter()
        .map(|(_, alarm)| (alarm.begin_sent, alarm.ended_at.is_some()));
    let news: Vec<_> = news.collect();
    let rows = unsent.iter().map(|(_, alarm)| alarm.clone()).collect();
    let listed = alarms::with_names(&mut conn, rows).await?;
    drop(conn);
    let text = text(&app.config.http.public_url, &news, &listed);
    match mail.send(&subject(&news, &listed), &text).await {
        Ok(refused) => {
            standing::mark_sent(app, &unsent, app.clock.now()).await?;
            Ok(record(app, &refused).await?)
        }
        Err(error) => {
            let why = json!({ "error": error.to_string() });
            raise(app, why).await?;
            Err(Failure::retry(error))
        }
    }
}

async fn record(app: &App, refused: &[Refused]) -> eventify_kernel::db::DbResult<()> {
    if !refused.is_empty() {
        let whys: Vec<_> = refused.iter().map(|it| it.why.as_str()).collect();
        return raise(app, json!({ "refused": refused.len(), "errors": whys })).await;
    }
    let mut conn = app.db.read(NAME).await?;
    standing::clear(&mut conn, NOT_SENT, NAME, app.clock.now()).await
}

async fn raise(app: &App, details: Value) -> eventify_kernel::db::DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let alarm = Alarm::new(NOT_SENT, NAME, ACT).with(details);
    standing::raise(&mut conn, &alarm, app.clock.now()).await
}

/// Whether people know that it began, and whether it is over.
type News = (bool, bool);

fn subject(news: &[News], alarms: &[ListedAlarm]) -> String {
    let all_over = news.iter().all(|(_, over)| *over);
    let first = news.iter().position(|(_, over)| *over == all_over);
    let first = first.and_then(|index| alarms.get(index));
    let mut subject = "[Eventify] ".to_owned();
    subject += if all_over { "over: " } else { "ALARM " };
    if let Some(alarm) = first {
        subject += &alarm.code;
        if let Some(place) = place(alarm) {
            let _never_fails = write!(subject, ", {place}");
        }
    }
    if alarms.len() > 1 {
        let _never_fails = write!(subject, " and {} more", alarms.len() - 1);
    }
    subject
}

/// `North door (Gate 1, Gate 2), Town hall`
fn place(alarm: &ListedAlarm) -> Option<String> {
    let node = alarm
        .node_label
        .as_ref()
        .map(|label| match &alarm.gates[..] {
            [] => label.clone(),
            gates => format!("{label} ({})", gates.join(", ")),
        });
    let parts: Vec<_> = node.into_iter().chain(alarm.venue_name.clone()).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn text(url: &str, news: &[News], alarms: &[ListedAlarm]) -> String {
    let mut text = String::new();
    for ((_, over), alarm) in news.iter().zip(alarms) {
        let _never_fails = describe(&mut text, *over, alarm);
    }
    text + &format!("All that stands: GET {url}/fleet/alarms\n")
}

fn describe(text: &mut String, over: bool, alarm: &ListedAlarm) -> std::fmt::Result {
    let zone = alarm.time_zone;
    let word = if over { "OVER" } else { "ALARM" };
    writeln!(text, "{word}  {}", alarm.code)?;
    if let Some(place) = place(alarm) {
        writeln!(text, "where  {place}")?;
    }
    writeln!(text, "since  {}", zone.minute(alarm.first_at))?;
    if let Some(at) = alarm.ended_at {
        writeln!(text, "until  {}", zone.minute(at))?;
    }
    if alarm.occurrences > 1 {
        writeln!(
            text,
            "seen   {} times, last {}",
            alarm.occurrences,
            zone.minute(alarm.last_at)
        )?;
    }
    if let Some(name) = &alarm.acknowledged_name {
        writeln!(text, "with   {name}")?;
    }
    if !over {
        writeln!(text, "do     {}", alarm.act)?;
        if let Value::Object(details) = &alarm.details {
            for (name, value) in details.iter().filter(|(_, value)| !value.is_null()) {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                writeln!(text, "       {name}: {value}")?;
            }
        }
    }
    writeln!(text)
}
