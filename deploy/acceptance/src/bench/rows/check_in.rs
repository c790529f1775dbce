//! Check-ins at the core over REST, beside PostgreSQL's own benchmark.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{
    bench::{
        budget::{Budget, Measurement, Peer, Unit},
        load::{Pace, drive},
        pgbench,
        seed::Ticket,
        site::Site,
        wire::{self, Response},
    },
    clock,
};

const MIN_SHARE: f64 = 0.5;
const CHECK_INS: usize = 16_000;
const DURATION: Duration = Duration::from_secs(8);
/// Clients in a closed loop, and pgbench's clients.
const CLIENTS: usize = 32;
/// Users who check in: the rate limit is for each user.
const USERS: usize = 4;

pub(super) async fn measure(site: &mut Site) -> Result<Vec<Measurement>> {
    pgbench::prepare(&mut site.db).await?;
    let tickets = site.fresh(CHECK_INS)?;
    let requests = check_ins(site, &tickets).await?;
    let mut connections = site.core_connections(CLIENTS).await?;
    let pace = Pace::AsAnswered(DURATION);
    let driven = drive(&mut connections, requests, pace, checked_in).await?;
    site.settle().await?;
    let url = site.world.database_url();
    let limit = pgbench::measure(url, &site.world.folder, CLIENTS, DURATION).await?;
    Ok(vec![Measurement {
        what: "check-ins at the core (POST /tickets/{id}/check-in)".into(),
        budget: Budget::Share {
            share: MIN_SHARE,
            of: Peer {
                what: "pgbench, two rows".into(),
                value: limit,
            },
        },
        measured: driven.rate(|()| true),
        unit: Unit::PerSecond,
        note: format!("{CLIENTS} clients each: {}", driven.spread()),
    }])
}

async fn check_ins(site: &Site, tickets: &[Ticket]) -> Result<Vec<Vec<u8>>> {
    let mut tokens = Vec::with_capacity(USERS);
    for user in 0..USERS {
        let name = format!("steward-{user}");
        let scopes = ["ticket:checkin"];
        let token = site.world.token(&name, &["ADMIN"], &scopes).await?;
        tokens.push(format!("Bearer {token}"));
    }
    let gate = site.node.scanner.gate;
    let check_in = |(number, ticket): (usize, &Ticket)| {
        let body = json!({ "gateId": gate, "scanId": clock::new_id(), "token": ticket.token });
        let path = format!("/tickets/{}/check-in", ticket.id);
        let headers = [("authorization", tokens[number % USERS].clone())];
        wire::request("POST", &path, &headers, body.to_string().as_bytes())
    };
    Ok(tickets.iter().enumerate().map(check_in).collect())
}

fn checked_in(answer: &Response) -> Result<()> {
    let body = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == 200, "{}: {body}", answer.status);
    Ok(())
}
