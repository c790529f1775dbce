//! A flood of readers of a stadium's seat map, beside two gates.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use eventify_protocol::{
    lan::ScanAnswer,
    verdict::{DecidedBy, Mode},
};
use futures_util::future::try_join_all;
use reqwest::header::{ACCEPT_ENCODING, ETAG, IF_NONE_MATCH};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Demo;
use crate::{
    api::Api,
    clock,
    scanner::Scanner,
    story::Story,
    wait,
    world::{customer::text, fixture::Fixture},
};

/// Seats of the stadium.
const SEATS: u64 = 50_000;
const SECTIONS: u64 = 5;
const ROWS: u64 = 100;
/// Readers at once: pages that show the map.
const READERS: usize = 50;
/// A page asks again so soon after an answer. The first map of all, and then some 50 megabytes a second,
/// leave at once.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Scans in the meantime, by turns at both gates.
const SCANS: usize = 40;
/// Most of them that a node may decide alone on account of the readers: it does so for a second after one
/// late answer (`ADMISSION` 2), and this machine runs core, nodes, servers and readers. Beside a core that
/// lets gates wait, a node is not online at all. What a machine does that is busy with other things is
/// counted before, without readers.
const MAX_ALONE: usize = 4;
/// A machine that is busy at one moment is not at the next. A core that lets gates wait fails each round.
const ROUNDS: usize = 3;
/// A reader that got no answer within this hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers by status.
type Answers = BTreeMap<u16, u64>;

/// What a round has shown.
struct Round {
    answers: Vec<Answers>,
    scans: Vec<ScanAnswer>,
    sold: usize,
}

pub(super) async fn run(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.step("A flood of readers beside a gate");
    let organiser = demo.world.organiser().await?;
    let stadium = stadium(&organiser).await?;
    let path = format!("/catalog/performances/{}/availability", stadium.performance);
    wait::until("the stadium to be on sale", wait::START, || async {
        let map = demo
            .world
            .core
            .api
            .send(reqwest::Method::GET, &path, None)
            .await?;
        Ok((map.body["remaining"] == SEATS).then_some(()))
    })
    .await?;
    let url = format!("{}{path}", demo.world.core.api.base());
    for number in 1..=ROUNDS {
        let (alone_before, round) = play(demo, &stadium, &url, number).await?;
        let alone = decided_alone(&round.scans);
        let is_so = alone <= alone_before + MAX_ALONE;
        if is_so || number == ROUNDS {
            let observed = format!("{} of {SCANS}", SCANS - alone);
            story.holds("decided by the core", is_so, observed);
            round.judge(story);
            break;
        }
        story.figure(
            "decided by the core, while the machine was busy with other things",
            format!("{} of {SCANS}; once more", SCANS - alone),
        );
    }
    Ok(())
}

/// How many scans were decided alone without readers, and what is so beside them.
async fn play(
    demo: &mut Demo,
    stadium: &Fixture,
    url: &str,
    number: usize,
) -> Result<(usize, Round)> {
    let before = demo.next_ticket()?;
    let before = decided_alone(&scan_by_turns(demo, &before.token).await?);
    let (ticket, stop) = (demo.next_ticket()?, CancellationToken::new());
    let readers = try_join_all((0..READERS).map(|reader| read(url, reader, &stop)));
    let buyer = buy(demo, stadium, number, &stop);
    let scans = async {
        let answers = scan_by_turns(demo, &ticket.token).await;
        stop.cancel();
        answers
    };
    let (answers, scans, sold) = tokio::join!(readers, scans, buyer);
    let round = Round {
        answers: answers?,
        scans: scans?,
        sold: sold?,
    };
    Ok((before, round))
}

impl Round {
    fn judge(self, story: &mut Story) {
        let verdicts = |name: &str| {
            let named = self.scans.iter().filter(|it| it.verdict.name() == name);
            named.count()
        };
        story.expect("a ticket at two gates: Admit", 1, verdicts("Admit"));
        story.expect("and AlreadyUsed", SCANS - 1, verdicts("AlreadyUsed"));
        story.holds("seats were sold meanwhile", self.sold > 0, "they were");
        let mut sum = Answers::new();
        for (status, count) in self.answers.into_iter().flatten() {
            *sum.entry(status).or_default() += count;
        }
        let as_told = sum.keys().all(|status| [200, 304, 503].contains(status));
        let observed = format!("{sum:?}");
        story.holds("each reader got 200, 304 or 503", as_told, &observed);
        story.holds("and some the map", sum.contains_key(&200), &observed);
    }
}

/// Scans a ticket again and again, at one gate after the other.
async fn scan_by_turns(demo: &Demo, token: &str) -> Result<Vec<ScanAnswer>> {
    let mut answers = Vec::with_capacity(SCANS);
    for turn in 0..SCANS {
        answers.push(scan_online(&demo.gates[turn % 2].scanner, token).await?);
    }
    Ok(answers)
}

fn decided_alone(scans: &[ScanAnswer]) -> usize {
    let alone = |it: &&ScanAnswer| it.decided_by != DecidedBy::Core;
    scans.iter().filter(alone).count()
}

/// A guest at a gate that is online.
async fn scan_online(scanner: &Scanner, token: &str) -> Result<ScanAnswer> {
    wait::until("the gate to be online", super::SOON, || async {
        let mode = scanner.status().await?.mode;
        Ok((mode == Mode::Online).then_some(()))
    })
    .await?;
    scanner.scan(token).await
}

/// Reads until it is stopped, as browsers do; every second one keeps what it has.
async fn read(url: &str, reader: usize, stop: &CancellationToken) -> Result<Answers> {
    let http = Client::builder().timeout(PATIENCE).build()?;
    let (mut answers, mut tag) = (Answers::new(), None);
    while !stop.is_cancelled() {
        let mut request = http.get(url).header(ACCEPT_ENCODING, "gzip");
        if let Some(tag) = tag.as_ref().filter(|_| reader.is_multiple_of(2)) {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let response = request.send().await.context("a reader hangs")?;
        *answers.entry(response.status().as_u16()).or_default() += 1;
        if response.status().is_success() {
            tag = response.headers().get(ETAG).cloned();
        }
        read_whole(response).await?;
        tokio::time::sleep(AGAIN_AFTER).await;
    }
    Ok(answers)
}

async fn read_whole(mut response: Response) -> Result<()> {
    while response.chunk().await.context("a reader hangs")?.is_some() {}
    Ok(())
}

/// Seat after seat goes into carts, so that the map changes under its readers.
async fn buy(
    demo: &Demo,
    stadium: &Fixture,
    round: usize,
    stop: &CancellationToken,
) -> Result<usize> {
    let customer = demo.world.customer(310 + round).await?;
    let cart: Value = customer.api.post("/reservations", json!({})).await?;
    let items = format!("/reservations/{}/items", text(&cart, "reservationId")?);
    let mut sold = 0;
    for seat in 1..=20 {
        if stop.is_cancelled() {
            break;
        }
        let item = json!({ "performanceId": stadium.performance,
            "items": [{ "seatId": format!("S1R{round}-{seat}"), "priceCategory": "SEAT" }] });
        let _: Value = customer.api.post(&items, item).await?;
        sold += 1;
    }
    Ok(sold)
}

async fn stadium(organiser: &Api) -> Result<Fixture> {
    let venue = json!({ "name": "Stade du Nord", "city": "Lille", "timeZone": "Europe/Paris" });
    let venue: Value = organiser.post("/venues", venue).await?;
    let venue = text(&venue, "venueId")?;
    let per_row = SEATS / SECTIONS / ROWS;
    let rows = |section: u64| {
        let rows =
            (1..=ROWS).map(|row| json!({ "row": format!("S{section}R{row}"), "seats": per_row }));
        rows.collect::<Vec<_>>()
    };
    let sections = (1..=SECTIONS).map(|section| {
        json!({ "section": format!("Section {section}"), "rows": rows(section),
            "categories": ["SEAT"] })
    });
    let plan = json!({ "name": "Stadium", "sections": sections.collect::<Vec<_>>() });
    let plans = format!("/venues/{venue}/seating-plans");
    let _: Value = organiser.post(&plans, plan).await?;
    let starts_at = clock::now() + TimeDelta::days(3);
    Fixture::in_venue(organiser, &venue, starts_at).await
}
