//! What the evening has left in the logs.

use anyhow::Result;
use serde_json::Value;

use super::{EMAIL, NAME, Refusals};
use crate::{scenes::Play, story::Story};

pub(super) fn are_clean(story: &mut Story, play: &Play, refusals: &Refusals) -> Result<()> {
    let core = std::fs::read_to_string(&play.world.core.log)?;
    let [one, two] = play
        .gates
        .each_ref()
        .map(|gate| std::fs::read_to_string(gate.edge.log()));
    let edges = one? + &two?;
    for (whose, log, refused) in [
        ("core", &core, &refusals.core),
        ("nodes", &edges, &refusals.edge),
    ] {
        let found = refused
            .iter()
            .filter(|id| !id.is_empty() && log.contains(*id));
        story.expect(
            &format!("refusals whose correlation id is in the log: {whose}"),
            refused.len(),
            found.count(),
        );
    }
    let all = core + &edges;
    let panics = all.lines().filter(|line| line.contains("panicked")).count();
    story.expect("panics in the logs", 0, panics);
    for (what, marks) in marks(play) {
        let line = all
            .lines()
            .find(|line| marks.iter().any(|mark| line.contains(mark)));
        let observed = line.map_or("nowhere in the logs".to_owned(), shortened);
        story.expect(what, "nowhere in the logs", observed);
    }
    Ok(())
}

/// What must not be in a log, and how it would be told.
fn marks(play: &Play) -> Vec<(&'static str, Vec<String>)> {
    let tokens = play.unused.iter().map(|ticket| ticket.token.clone());
    let scanners = play
        .gates
        .iter()
        .map(|gate| gate.scanner.access_token().to_owned());
    vec![
        // Bytes written as numbers would hide all that is looked for below.
        ("bodies of messages", vec!["data: [".to_owned()]),
        ("names", vec![NAME.to_owned()]),
        (
            "e-mail addresses",
            vec![EMAIL.to_owned(), "@example.org".to_owned()],
        ),
        (
            "tickets' tokens",
            tokens.chain(["EV1:".to_owned()]).collect(),
        ),
        ("customers' access tokens", vec!["eyJ".to_owned()]),
        ("scanners' access tokens", scanners.collect()),
        (
            "secrets of the payment provider",
            vec![
                play.world.scope.stripe.secret_key.clone(),
                play.world.scope.stripe.webhook_secret.clone(),
                "_secret_".to_owned(),
            ],
        ),
        ("codes", vec!["evn1.".to_owned(), "evp1.".to_owned()]),
    ]
}

/// Enough of a line to find it by.
fn shortened(line: &str) -> String {
    let message = serde_json::from_str(line)
        .ok()
        .and_then(|line: Value| line["message"].as_str().map(ToOwned::to_owned));
    message.unwrap_or_else(|| line.chars().take(120).collect())
}
