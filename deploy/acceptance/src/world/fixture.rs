//! What an organiser sets up: a venue with seats and a standing zone, and a performance.

use anyhow::{Context as _, Result};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::customer::{Places, text};
use crate::{api::Api, wait};

/// Rows of the hall, `A` to `T`.
pub const ROWS: u8 = 20;
/// Seats in each row.
pub const SEATS_PER_ROW: u32 = 25;
/// Places in the standing zone.
pub const STANDING: u32 = 1_000;

/// All places of the venue.
pub const PLACES: u64 = ROWS as u64 * SEATS_PER_ROW as u64 + STANDING as u64;

/// A performance and its venue.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Its venue.
    pub venue: String,
    /// Its event.
    pub event: String,
    /// The performance.
    pub performance: String,
    standing_zone: String,
}

impl Fixture {
    /// Sets up a venue with its plan, an event and a performance, and publishes it.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn create(organiser: &Api, starts_at: DateTime<Utc>) -> Result<Self> {
        Self::create_with_doors(organiser, usual(starts_at)).await
    }

    /// The same with doors of its own.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn create_with_doors(
        organiser: &Api,
        times: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Self> {
        let venue = json!({
            "name": "Halle am Fluss", "city": "Lyon", "timeZone": "Europe/Paris",
        });
        let venue: Value = organiser.post("/venues", venue).await?;
        let venue = text(&venue, "venueId")?;
        let plan: Value = organiser
            .post(&format!("/venues/{venue}/seating-plans"), seating_plan())
            .await?;
        let zone = text(&plan["zones"][0], "bucketId")?;
        Self::create_performance(organiser, &venue, zone, times).await
    }

    /// Lets somebody check in and, with that role, sell at the door.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn assign(&self, organiser: &Api, user: &Api) -> Result<()> {
        let me: Value = user.get("/me").await?;
        let user_id = text(&me, "userId")?;
        let path = format!("/events/{}/check-in-assignments/{user_id}", self.event);
        let _: Value = organiser.put(&path, json!({})).await?;
        Ok(())
    }

    /// Publishes another event with a performance in the same venue.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn another_performance(
        &self,
        organiser: &Api,
        starts_at: DateTime<Utc>,
    ) -> Result<Self> {
        Self::create_performance(
            organiser,
            &self.venue,
            self.standing_zone.clone(),
            usual(starts_at),
        )
        .await
    }

    /// Publishes an event with a performance in a venue that has no standing zone.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn in_venue(organiser: &Api, venue: &str, starts_at: DateTime<Utc>) -> Result<Self> {
        Self::create_performance(organiser, venue, String::new(), usual(starts_at)).await
    }

    async fn create_performance(
        organiser: &Api,
        venue: &str,
        standing_zone: String,
        (starts_at, doors_at): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Self> {
        let price = |name: &str, code: &str, amount: &str| {
            json!({ "name": name, "code": code,
                    "price": { "currency": "EUR", "amount": amount } })
        };
        let event = json!({
            "title": "Nuit blanche",
            "description": "One evening, one hall",
            "city": "Lyon",
            "pricing": { "categories":
                [price("Seat", "SEAT", "49.00"), price("Standing", "STAND", "29.00")] },
        });
        let event: Value = organiser.post("/events", event).await?;
        let event = text(&event, "eventId")?;
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let performance = json!({
            "startTime": time(starts_at),
            "doorsAt": time(doors_at),
            "venueId": venue,
        });
        let path = format!("/events/{event}/performances");
        let performance: Value = organiser.post(&path, performance).await?;
        let performance = text(&performance, "performanceId")?;
        let _: Value = organiser
            .post(&format!("/events/{event}/publish"), json!({}))
            .await?;
        Ok(Self {
            venue: venue.to_owned(),
            event,
            performance,
            standing_zone,
        })
    }

    /// Lets its guests leave and come back.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn allow_reentry(&self, organiser: &Api) -> Result<()> {
        let path = format!("/events/{}/performances/{}", self.event, self.performance);
        let planned: Value = organiser.get(&path).await?;
        let allowed = json!({ "startTime": planned["startTime"], "doorsAt": planned["doorsAt"],
                              "reentry": "allowed" });
        let _: Value = organiser.put(&path, allowed).await?;
        Ok(())
    }

    /// The capacity zone's id.
    #[must_use]
    pub fn standing_zone(&self) -> &str {
        &self.standing_zone
    }

    /// Waits until all places are in the catalogue, which receives seats and zones separately. Returns
    /// their number.
    ///
    /// # Errors
    /// They do not go on sale.
    pub async fn wait_until_on_sale(&self, api: &Api) -> Result<u64> {
        let what = format!("{PLACES} places to be on sale");
        wait::until(&what, wait::START, || async {
            let places = self.availability(api).await?;
            Ok((places == PLACES).then_some(places))
        })
        .await
    }

    /// Places for sale now, according to the catalogue.
    ///
    /// # Errors
    /// The catalogue does not answer.
    pub async fn availability(&self, api: &Api) -> Result<u64> {
        let path = format!("/catalog/performances/{}/availability", self.performance);
        let reply = api.send(reqwest::Method::GET, &path, None).await?;
        if reply.status == reqwest::StatusCode::NOT_FOUND {
            return Ok(0);
        }
        reply.body["remaining"]
            .as_u64()
            .with_context(|| format!("availability: {}", reply.body))
    }

    /// The items of a cart.
    #[must_use]
    pub fn items(&self, places: &Places) -> Vec<Value> {
        match places {
            Places::Seats(labels) => labels
                .iter()
                .map(|label| {
                    json!({ "seatId": label, "priceCategory": "SEAT",
                            "unitPrice": { "currency": "EUR", "amount": "49.00" } })
                })
                .collect(),
            Places::Standing(qty) => vec![json!({
                "bucketId": self.standing_zone, "qty": qty, "priceCategory": "STAND",
                "unitPrice": { "currency": "EUR", "amount": "29.00" } })],
        }
    }
}

/// With doors an hour before.
fn usual(starts_at: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    (starts_at, starts_at - TimeDelta::hours(1))
}

/// Label of a seat: `A-12`.
#[must_use]
pub fn seat(row: u8, number: u32) -> String {
    format!("{}-{number}", char::from(b'A' + row))
}

fn seating_plan() -> Value {
    let rows: Vec<_> = (0..ROWS)
        .map(|row| json!({ "row": char::from(b'A' + row).to_string(), "seats": SEATS_PER_ROW }))
        .collect();
    json!({
        "name": "Hall and standing",
        "sections": [{ "section": "Hall", "rows": rows, "categories": ["SEAT"] }],
        "zones": [{ "zone": "Standing", "capacity": STANDING, "categories": ["STAND"] }],
    })
}
