//! Mails about alarms, at a mail server that takes all and forwards none.

use chrono::TimeDelta;
use eventify_contracts::ticketing::ScanSuspected;
use eventify_kernel::alarms::{self, Alarm};
use eventify_kernel::jobs;
use eventify_protocol::zone::TimeZone;
use eventify_stack::Stack;
use eventify_stack::mail::ReceivedMail;
use serde_json::json;

use crate::fleet::world::{Venue, alarms_of};

/// A venue whose core mails to an address of this test.
struct Mailed {
    venue: Venue,
    address: String,
}

impl Mailed {
    async fn open(name: &str, server: &str) -> Self {
        let address = format!("{name}@night.example.org");
        let to = format!("[\"Night shift <{address}>\"]");
        let limits = [
            ("alarms.smtp_url", server),
            ("alarms.mail_from", "Eventify <eventify@example.org>"),
            ("alarms.mail_to", to.as_str()),
        ];
        let venue = Venue::limited(&limits).await;
        Self { venue, address }
    }

    async fn mails(&self) -> Vec<ReceivedMail> {
        let stack = Stack::shared().await.unwrap();
        stack.mail().received_by(&self.address).unwrap()
    }

    /// A while goes by, and the job runs.
    async fn notify_after(&self, seconds: i64) -> Vec<ReceivedMail> {
        self.venue.core.advance(TimeDelta::seconds(seconds));
        self.venue.core.run_job("fleet", "notify").await;
        self.mails().await
    }

    async fn raise(&self, subject: &str) {
        let mut conn = self.venue.core.app().db.read("fleet").await.unwrap();
        let act = "look at the numbers, and end what is wrong";
        let alarm = Alarm::new(KIND, subject, act).with(json!({ "waiting": 7 }));
        let now = self.venue.core.clock.now();
        alarms::raise(&mut conn, &alarm, now).await.unwrap();
    }

    async fn clear(&self, subject: &str) {
        let mut conn = self.venue.core.app().db.read("fleet").await.unwrap();
        let now = self.venue.core.clock.now();
        alarms::clear(&mut conn, KIND, subject, now).await.unwrap();
    }
}

const KIND: &str = "bus.outbox_standing";

async fn server() -> String {
    let stack = Stack::shared().await.unwrap();
    format!("smtp://{}", stack.mail().smtp_address())
}

/// An alarm was a line in a log that nobody reads at night.
#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_mailed_once_when_it_begins_and_once_when_it_is_over() {
    let mailed = Mailed::open("once", &server().await).await;
    let begun = mailed.venue.core.clock.now();
    mailed.raise("ticketing").await;
    let mails = mailed.notify_after(0).await;
    let [mail] = &mails[..] else {
        panic!("{mails:?}")
    };
    for text in [
        "Subject: [Eventify] ALARM bus.outbox_standing",
        "waiting: 7",
        "look at the numbers",
        // It is about no venue.
        &format!("since  {}", TimeZone::UTC.minute(begun)),
    ] {
        assert!(mail.data.contains(text), "{text}: {}", mail.data);
    }
    // It goes on: nothing new.
    mailed.raise("ticketing").await;
    assert_eq!(mailed.notify_after(600).await.len(), 1);
    mailed.clear("ticketing").await;
    assert_eq!(mailed.notify_after(60).await.len(), 1, "it may begin again");
    let mails = mailed.notify_after(60).await;
    assert_eq!(mails.len(), 2);
    assert!(
        mails[1]
            .data
            .contains("[Eventify] over: bus.outbox_standing"),
        "{}",
        mails[1].data
    );
    assert_eq!(mailed.notify_after(600).await.len(), 2);
}

/// Who reads it at night is in the venue, or counts in its time.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_about_a_venue_shows_its_own_time() {
    let mailed = Mailed::open("zone", &server().await).await;
    let (core, venue) = (&mailed.venue.core, mailed.venue.id);
    let begun = core.clock.now();
    let alarm = Alarm::new(KIND, "hall", "look at the numbers").about("venueId", &venue);
    let mut conn = core.app().db.read("fleet").await.unwrap();
    alarms::raise(&mut conn, &alarm, begun).await.unwrap();
    drop(conn);
    let mails = mailed.notify_after(0).await;
    let paris: TimeZone = "Europe/Paris".parse().unwrap();
    let since = format!("since  {}", paris.minute(begun));
    assert!(mails[0].data.contains(&since), "{since}: {}", mails[0].data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_alarms_is_one_mail_a_minute_and_one_that_flickers_is_none() {
    let mailed = Mailed::open("storm", &server().await).await;
    for round in 0..30 {
        mailed.raise(&format!("queue-{round}")).await;
        mailed.notify_after(1).await;
    }
    assert_eq!(mailed.mails().await.len(), 1, "the first at once");
    let mails = mailed.notify_after(60).await;
    assert_eq!(mails.len(), 2);
    assert!(mails[1].data.contains("and 28 more"), "{}", mails[1].data);
    for _ in 0..20 {
        mailed.clear("queue-1").await;
        mailed.notify_after(60).await;
        mailed.raise("queue-1").await;
        mailed.notify_after(60).await;
    }
    assert_eq!(mailed.mails().await.len(), 2);
}

/// What nobody got is sent again, and that nobody got it stands in the list.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_away_loses_no_alarm() {
    // Nobody listens there.
    let mailed = Mailed::open("away", "smtp://127.0.0.1:1").await;
    let suspected = ScanSuspected {
        suspicion_id: mailed.venue.new_id(),
        node_id: None,
        gate_id: None,
        code: "scan_node_unknown".to_owned(),
    };
    mailed.venue.publish("ticketing", 1, &suspected).await;
    mailed.venue.core.settle().await;
    let app = mailed.venue.core.app();
    jobs::run_now(app, "fleet", "notify").await.unwrap_err();
    let admin = mailed.venue.core.user("ada").role("ADMIN");
    let codes = alarms_of(&admin).await.into_iter().map(|alarm| alarm.code);
    let mut codes: Vec<_> = codes.collect();
    codes.sort();
    assert_eq!(codes, ["alarms.mail_not_sent", "scan_node_unknown"]);
    let unsent = alarms::list_unsent(app, app.clock.now(), 10).await.unwrap();
    assert_eq!(unsent.len(), 2, "both are still to be sent");
}
