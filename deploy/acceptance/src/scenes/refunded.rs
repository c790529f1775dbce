//! Scene 5, third part: the organiser pays a guest back while a gate has no connection.

use anyhow::{Context as _, Result};
use eventify_protocol::verdict::Mode;
use eventify_stack::Card;
use serde_json::Value;

use super::{
    Demo, SOON,
    enrolment::name,
    online::{one_ticket, pay_back},
};
use crate::{
    story::Story,
    wait,
    world::{
        customer::{Customer, Places, Ticket, text},
        fixture::seat,
    },
};

/// A seat that nobody else in the story wants.
fn wanted() -> Places {
    Places::Seats(vec![seat(19, 7)])
}

pub(super) async fn run(story: &mut Story, demo: &Demo) -> Result<()> {
    story.step("5c. A refund during an outage");
    let customer = demo.world.customer(220).await?;
    let bought = customer.buy(&demo.fixture, &wanted(), Card::Good).await?;
    let guest = one_ticket(bought)?;
    let [online, cut] = &demo.gates;
    cut.edge.catch_up(SOON).await?;
    let left = demo.fixture.availability(&demo.world.core.api).await?;

    cut.edge.link.cut();
    pay_back(demo, &customer, &guest).await?;
    let status = no_longer_good(&customer, &guest).await?;
    let allowed = ["suspended", "revoked"].contains(&status.as_str());
    story.holds("the ticket is not good from then on", allowed, status);
    let answer = online.scanner.scan(&guest.token).await?;
    story.expect("a gate that is online", "Revoked", answer.verdict.name());
    let answer = cut.scanner.scan(&guest.token).await?;
    story.expect("the gate that is cut off", "Admit", answer.verdict.name());
    story.expect("the node's mode", "Degraded", name(answer.mode));

    cut.edge.link.heal();
    cut.edge.wait_for_mode(Mode::Online, SOON).await?;
    let row = reported(demo, &guest, "refund").await?;
    let found = |row: &Value, member: &str| row[member].as_str().unwrap_or_default().to_owned();
    story.expect(
        "the report has the guest, at",
        cut.name,
        found(&row, "gateName"),
    );
    let money = format!(
        "{} {}",
        found(&row["amount"], "amount"),
        found(&row["amount"], "currency")
    );
    story.expect("with the money", "49.00 EUR", money);
    story.expect("and the seat", seat(19, 7), found(&row, "place"));
    let alarm = alarm(demo, &guest).await?;
    story.expect(
        "the venue is alarmed: occurrences",
        1,
        &alarm["occurrences"],
    );
    let act = text(&alarm, "act")?;
    story.holds(
        "and reads what to do",
        act.contains("refundedAdmissions"),
        &act,
    );

    let now = demo.fixture.availability(&demo.world.core.api).await?;
    story.expect("places for sale, as before", left, now);
    let rival = demo.world.customer(221).await?;
    let held = rival.hold(&demo.fixture, &wanted(), None).await?;
    let observed = held.as_deref().unwrap_or("out of stock");
    story.expect(
        "nobody buys the seat with the guest on it",
        "out of stock",
        observed,
    );
    Ok(())
}

/// What the ticket is as soon as it is not good any more.
async fn no_longer_good(customer: &Customer, guest: &Ticket) -> Result<String> {
    let path = format!("/tickets/{}", guest.id);
    wait::until("the ticket not to be good any more", SOON, || async {
        let seen: Value = customer.api.get(&path).await?;
        let status = text(&seen, "status")?;
        Ok((status != "valid").then_some(status))
    })
    .await
}

/// The guest's row in the report, when the refund has come this far.
async fn reported(demo: &Demo, guest: &Ticket, state: &str) -> Result<Value> {
    wait::until("the guest in the report", SOON, || async {
        let report = demo.venue_it.reconciliation().await?;
        let rows = report["refundedAdmissions"].as_array();
        let mut rows = rows.context("refundedAdmissions")?.iter();
        let row = rows.find(|row| row["ticketId"] == guest.id.as_str() && row["state"] == state);
        Ok(row.cloned())
    })
    .await
}

/// The venue's alarm about the guest.
async fn alarm(demo: &Demo, guest: &Ticket) -> Result<Value> {
    let alarms = demo.venue_it.alarms().await?;
    let mut alarms = alarms["items"].as_array().into_iter().flatten();
    let of_guest = |alarm: &&Value| {
        alarm["code"] == "refunded_guest_admitted"
            && alarm["details"]["ticketId"] == guest.id.as_str()
    };
    alarms
        .find(of_guest)
        .cloned()
        .context("no alarm about the guest")
}
