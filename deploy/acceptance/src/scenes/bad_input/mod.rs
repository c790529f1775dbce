//! Bad input at every interface: a clear error with a code, a log line without personal data, no lost
//! data, and no process stops.
//!
//! It comes last, so that it searches the logs of the whole evening for personal data.

mod broker;
mod configuration;
mod core;
mod edge;
mod enrolment;
mod logs;
mod webhook;

use anyhow::{Context as _, Result};
use reqwest::Method;

use super::{Demo, arrival_orders::settled};
use crate::{api::Reply, story::Story, world::process::Exit};

/// Personal data that is sent in wrong places; it must not be in the logs.
const NAME: &str = "Marie Skłodowska";
const EMAIL: &str = "marie.sklodowska@example.org";

pub(super) async fn send(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.step("10. Bad input at every interface");
    let before = processes(demo)?;
    let places = demo.fixture.availability(&demo.world.core.api).await?;
    let mut refusals = Refusals::default();
    core::refuses(story, demo, &mut refusals).await?;
    webhook::refuses(story, demo, &mut refusals).await?;
    enrolment::refuses(story, demo).await?;
    edge::refuses(story, demo, &mut refusals).await?;
    broker::refuses(story, demo).await?;
    configuration::stops_the_start(story, demo).await?;

    story.part("after all bad input");
    story.expect(
        "the core and the nodes still run (process ids)",
        before,
        processes(demo)?,
    );
    settled(demo).await?;
    let sold = webhook::SOLD;
    let left = demo.fixture.availability(&demo.world.core.api).await?;
    story.expect("places on sale", places - sold, left);
    let guest = demo.next_ticket()?;
    let answer = demo.gates[0].scanner.scan(&guest.token).await?;
    story.expect("the next guest", "Admit", answer.verdict.name());
    logs::are_clean(story, demo, &refusals)
}

/// Process ids of the core and the nodes.
fn processes(demo: &Demo) -> Result<String> {
    let [one, two] = &demo.gates;
    let ids = [
        demo.world.core.id(),
        one.edge.process_id(),
        two.edge.process_id(),
    ];
    let ids: Option<Vec<_>> = ids.iter().map(|id| id.map(|id| id.to_string())).collect();
    Ok(ids.context("a process has ended")?.join(", "))
}

/// Correlation ids of requests that were refused over HTTP: each must be in a log.
#[derive(Debug, Default)]
struct Refusals {
    core: Vec<String>,
    edge: Vec<String>,
}

/// A request to the core with one mistake.
struct BadRequest<'a> {
    what: &'a str,
    method: Method,
    path: &'a str,
    headers: &'a [(&'a str, &'a str)],
    /// Without an idempotency key.
    keyless: bool,
    body: Vec<u8>,
    expected: &'a str,
}

impl Refusals {
    /// Checks a response of the core.
    fn by_core(&mut self, story: &mut Story, what: &str, expected: &str, reply: &Reply) {
        story.expect(what, expected, reply.refusal());
        self.core.push(reply.correlation());
    }

    /// Checks a response of a node.
    fn by_edge(&mut self, story: &mut Story, what: &str, expected: &str, reply: &Reply) {
        story.expect(what, expected, reply.refusal());
        self.edge.push(reply.correlation());
    }
}

/// Checks that a program refused to start: its exit code, and words that its message must have.
fn refuses_to_start(story: &mut Story, what: &str, code: i32, names: &[&str], ended: &Exit) {
    let output = ended
        .output
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !output.contains(**name))
        .collect();
    let exit = ended
        .code
        .map_or("killed".to_owned(), |code| code.to_string());
    let fits = ended.code == Some(code) && missing.is_empty();
    let observed = if missing.is_empty() {
        format!("exit {exit}: {}", output.trim())
    } else {
        format!("exit {exit}, without {missing:?}: {}", output.trim())
    };
    story.holds(what, fits, observed);
}
