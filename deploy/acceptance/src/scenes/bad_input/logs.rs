//! The logs of the whole story.

use anyhow::Result;
use serde_json::Value;

use super::{EMAIL, NAME, Refusals};
use crate::{scenes::Demo, story::Story};

pub(super) fn are_clean(story: &mut Story, demo: &Demo, refusals: &Refusals) -> Result<()> {
    let core = std::fs::read_to_string(&demo.world.core.log)?;
    let [one, two] = demo
        .gates
        .each_ref()
        .map(|gate| std::fs::read_to_string(gate.edge.log()));
    let edges = one? + &two?;
    for (program, log, refused) in [
        ("core", &core, &refusals.core),
        ("nodes", &edges, &refusals.edge),
    ] {
        let found = refused
            .iter()
            .filter(|id| !id.is_empty() && log.contains(*id));
        story.expect(
            &format!("refused requests whose correlation id is in the log: {program}"),
            refused.len(),
            found.count(),
        );
    }
    let all = core + &edges;
    let panics = all.lines().filter(|line| line.contains("panicked")).count();
    story.expect("panics in the logs", 0, panics);
    for (what, texts) in forbidden(demo) {
        let line = all
            .lines()
            .find(|line| texts.iter().any(|text| line.contains(text)));
        let observed = line.map_or("nowhere in the logs".to_owned(), shortened);
        story.expect(what, "nowhere in the logs", observed);
    }
    Ok(())
}

/// What must not be in a log, and texts that would show it.
fn forbidden(demo: &Demo) -> Vec<(&'static str, Vec<String>)> {
    let tokens = demo.unused.iter().map(|ticket| ticket.token.clone());
    let codes = demo.unused.iter().flat_map(|ticket| {
        let printed = ticket.short_code.clone();
        [printed.replace('-', ""), printed]
    });
    let scanners = demo
        .gates
        .iter()
        .map(|gate| gate.scanner.access_token().to_owned());
    vec![
        // Bytes as numbers would hide the texts below.
        ("bodies of messages", vec!["data: [".to_owned()]),
        ("names", vec![NAME.to_owned()]),
        (
            "e-mail addresses",
            vec![EMAIL.to_owned(), "@example.org".to_owned()],
        ),
        ("ticket tokens", tokens.chain(["EV1:".to_owned()]).collect()),
        ("short codes", codes.collect()),
        ("customers' access tokens", vec!["eyJ".to_owned()]),
        ("scanners' access tokens", scanners.collect()),
        (
            "secrets of the payment provider",
            vec![
                demo.world.scope.stripe.secret_key.clone(),
                demo.world.scope.stripe.webhook_secret.clone(),
                "_secret_".to_owned(),
            ],
        ),
        (
            "enrolment and pairing codes",
            vec!["evn1.".to_owned(), "evp1.".to_owned()],
        ),
    ]
}

/// The message of a log line, or its beginning.
fn shortened(line: &str) -> String {
    let message = serde_json::from_str(line)
        .ok()
        .and_then(|line: Value| line["message"].as_str().map(ToOwned::to_owned));
    message.unwrap_or_else(|| line.chars().take(120).collect())
}
