//! A guest without a code is looked for by those who may, where the venue wants it.

use anyhow::{Result, bail, ensure};
use eventify_acceptance::{
    clock, wait,
    world::{
        customer::{Outcome, Places, Ticket},
        window::Glass,
    },
};
use eventify_protocol::{
    ids::SearchId,
    lan::{PinProof, SearchBy, SearchRequest},
};
use eventify_stack::{Card, us_keyboard::named};
use serde_json::json;

use super::{
    crew::{STEWARD, SUPERVISOR},
    evening::{Evening, SOON},
    words::{ENGLISH, FRENCH, Words},
};

const ELOISE: &str = "Éloïse Martin-Chevalier";
const ELOI: &str = "Eloi Okafor";
const ZOLTAN: &str = "Zoltán Łukasz";

pub(super) async fn those_who_may_find_guests_by_name_order_and_seat(
    evening: &mut Evening,
) -> Result<()> {
    let tickets = named_guests(evening).await?;
    evening.wish(json!({ "search": true })).await?;
    evening.begin_shift(&STEWARD, &ENGLISH).await?;
    evening
        .verdict(&tickets[0].token, ENGLISH.admit, "go")
        .await?;
    evening.ready().await?;
    names_have_come(evening).await?;

    evening.window.key(named::F2).await?;
    let glass = evening.window.word(ENGLISH.who_looks).await?;
    ensure!(
        !glass.text.contains("Steward"),
        "only who may: {}",
        glass.text
    );
    evening.keep("who-looks-en").await?;
    evening.prove(&SUPERVISOR).await?;
    evening.window.word(ENGLISH.find_a_guest).await?;
    evening.keep("search-en").await?;
    evening.window.type_by_hand("eloi").await?;
    evening.window.key(named::ENTER).await?;
    let glass = evening.window.says(ELOISE).await?;
    ensure!(glass.text.contains(ELOI), "{}", glass.text);
    ensure!(!glass.text.contains(ZOLTAN), "{}", glass.text);
    ensure!(glass.text.contains("Inside since"), "{}", glass.text);
    evening.keep("search-name-en").await?;

    let order = &tickets[2].order;
    evening.window.press("Order").await?;
    let (_, end) = order.split_at(order.len() - 6);
    evening.window.type_by_hand(end).await?;
    evening.window.press("Find guest").await?;
    let is_one = |glass: &Glass| glass.text.contains(ELOI) && !glass.text.contains(ELOISE);
    evening.window.until("one guest", is_one).await?;
    evening.keep("search-order-en").await?;
    evening.ready().await?;

    evening.speak(&FRENCH).await?;
    evening.window.key(named::F2).await?;
    evening.window.word(FRENCH.find_a_guest).await?;
    evening.window.press("Place").await?;
    evening.window.press("Lettres").await?;
    for letter in ["J", "-", "4"] {
        evening.window.press(letter).await?;
    }
    evening.keep("search-letters-fr").await?;
    evening.window.press("Chercher").await?;
    evening.window.says(ZOLTAN).await?;
    evening.keep("search-seat-fr").await?;
    leave(evening, &FRENCH).await?;
    evening.speak(&ENGLISH).await
}

async fn leave(evening: &Evening, words: &Words) -> Result<()> {
    evening.window.dismiss().await?;
    evening.window.word(words.ready).await?;
    Ok(())
}

/// Two tickets of one order, and one each of two others.
async fn named_guests(evening: &Evening) -> Result<Vec<Ticket>> {
    let orders = [
        (60, ELOISE, &["J-1", "J-2"][..]),
        (61, ELOI, &["J-3"]),
        (62, ZOLTAN, &["J-4"]),
    ];
    let mut all = Vec::new();
    for (number, name, seats) in orders {
        let customer = evening.world.customer(number).await?;
        let seats = seats.iter().map(|seat| (*seat).to_owned()).collect();
        let places = Places::Seats(seats);
        let bought = customer.buy(&evening.fixture, &places, Card::Good);
        let Outcome::Tickets(tickets) = bought.await? else {
            bail!("no tickets for {name}");
        };
        customer.name_guest(&tickets[0].order, name).await?;
        all.extend(tickets);
    }
    Ok(all)
}

/// They are sealed into the feed some seconds after the venue has wanted it.
async fn names_have_come(evening: &Evening) -> Result<()> {
    let scanner = evening.north.scanner.lan();
    let proof = PinProof {
        person_id: evening.staff[1].parse()?,
        pin: SUPERVISOR.pin.to_owned(),
    };
    let word = scanner.authorise(proof).await?;
    wait::until("the names at the gate", SOON, async || {
        evening.north.edge.catch_up(SOON).await?;
        let request = SearchRequest {
            search_id: SearchId(clock::new_id()),
            gate_id: evening.north.scanner.gate,
            by: SearchBy::Name,
            text: "eloi".to_owned(),
            performance_id: None,
            authorisation: Some(word.authorisation.clone()),
        };
        let found = scanner.search(&request).await?;
        Ok((found.matches.len() == 3).then_some(()))
    })
    .await
}

pub(super) async fn a_gate_that_is_alone_says_how_old_it_is_and_a_venue_can_switch_it_off(
    evening: &mut Evening,
) -> Result<()> {
    evening.begin_shift(&SUPERVISOR, &ENGLISH).await?;
    evening.cut().await?;
    look_for_eloi(evening).await?;
    evening.window.says(ELOISE).await?;
    let glass = evening.window.says("As this gate knew it").await?;
    ensure!(glass.text.contains(ELOI), "{}", glass.text);
    evening.keep("search-degraded").await?;
    evening.ready().await?;
    evening.heal().await?;
    evening.wish(json!({ "search": false })).await?;
    look_for_eloi(evening).await?;
    let off = "Finding guests is off at this venue.";
    evening.window.says(off).await?;
    evening.keep("search-off").await?;
    evening.ready().await?;
    evening.end_shift(&ENGLISH).await
}

/// A supervisor on shift types no PIN for it.
async fn look_for_eloi(evening: &Evening) -> Result<()> {
    evening.window.key(named::F2).await?;
    evening.window.word(ENGLISH.find_a_guest).await?;
    evening.window.type_by_hand("eloi").await?;
    evening.window.key(named::ENTER).await
}
