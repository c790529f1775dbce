//! Bad input, wherever something comes in: a clear error with a code, a log line without personal
//! data, nothing lost, everybody stays up.
//!
//! It comes last, so that what it reads for personal data is the log of the whole evening.

mod broker;
mod configuration;
mod core;
mod edge;
mod enrolment;
mod logs;
mod webhook;

use anyhow::{Context as _, Result};
use reqwest::Method;

use super::{Play, table::settled};
use crate::{api::Reply, story::Story, world::process::Ending};

/// Somebody whose data is sent where it does not belong, to look for it in the logs.
const NAME: &str = "Marie Skłodowska";
const EMAIL: &str = "marie.sklodowska@example.org";

pub(super) async fn send(story: &mut Story, play: &mut Play) -> Result<()> {
    story.step("And bad input, wherever something comes in");
    let before = processes(play)?;
    let places = play.stage.availability(&play.world.core.api).await?;
    let mut refusals = Refusals::default();
    core::refuses(story, play, &mut refusals).await?;
    webhook::refuses(story, play, &mut refusals).await?;
    enrolment::refuses(story, play).await?;
    edge::refuses(story, play, &mut refusals).await?;
    broker::refuses(story, play).await?;
    configuration::stops_the_start(story, play).await?;

    story.part("after all that");
    story.expect(
        "core and nodes are the same processes",
        before,
        processes(play)?,
    );
    settled(play).await?;
    let sold = webhook::SOLD;
    let left = play.stage.availability(&play.world.core.api).await?;
    story.expect("places on sale", places - sold, left);
    let guest = play.next_ticket()?;
    let answer = play.gates[0].scanner.scan(&guest.token).await?;
    story.expect("the next guest", "Admit", answer.verdict.name());
    logs::are_clean(story, play, &refusals)
}

/// Process ids of the core and the nodes.
fn processes(play: &Play) -> Result<String> {
    let [one, two] = &play.gates;
    let ids = [
        play.world.core.id(),
        one.edge.process_id(),
        two.edge.process_id(),
    ];
    let ids: Option<Vec<_>> = ids.iter().map(|id| id.map(|id| id.to_string())).collect();
    Ok(ids.context("a process has ended")?.join(", "))
}

/// What was refused over HTTP: each has its line in a log.
#[derive(Debug, Default)]
struct Refusals {
    core: Vec<String>,
    edge: Vec<String>,
}

/// A request to the core that is wrong in one way.
struct Bad<'a> {
    what: &'a str,
    method: Method,
    path: &'a str,
    headers: &'a [(&'a str, &'a str)],
    /// No idempotency key is added.
    keyless: bool,
    body: Vec<u8>,
    expected: &'a str,
}

impl Refusals {
    /// The core's answer, compared.
    fn by_core(&mut self, story: &mut Story, what: &str, expected: &str, reply: &Reply) {
        story.expect(what, expected, reply.refusal());
        self.core.push(reply.correlation());
    }

    /// A node's answer, compared.
    fn by_edge(&mut self, story: &mut Story, what: &str, expected: &str, reply: &Reply) {
        story.expect(what, expected, reply.refusal());
        self.edge.push(reply.correlation());
    }
}

/// How a program ended that must not have started, compared: its exit code, and all that its message
/// has to name.
fn stopped(story: &mut Story, what: &str, code: i32, names: &[&str], ended: &Ending) {
    let said = ended.said.split_whitespace().collect::<Vec<_>>().join(" ");
    let missing: Vec<_> = names.iter().filter(|name| !said.contains(**name)).collect();
    let exit = ended
        .code
        .map_or("killed".to_owned(), |code| code.to_string());
    let fits = ended.code == Some(code) && missing.is_empty();
    let observed = if missing.is_empty() {
        format!("exit {exit}: {}", said.trim())
    } else {
        format!("exit {exit}, {missing:?} not named: {}", said.trim())
    };
    story.holds(what, fits, observed);
}
