//! Scene 5, last part: what a steward at the north gate sees of all this, in the scanner app's real window.
//! Its pictures are among the results.

use anyhow::Result;
use eventify_protocol::verdict::Mode;

use super::{Demo, SOON};
use crate::{
    clock::timed,
    story::Story,
    world::window::{self, GateWindow, Start},
};

pub(super) async fn show(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.step("5d. A steward at the north gate: the scanner app in its window");
    if let Err(error) = window::can_be_had() {
        story.note(&format!("left out, no window can be had here: {error:#}"));
        return Ok(());
    }
    let folder = demo.world.folder.clone();
    let (window, took) = timed(GateWindow::open(Start {
        data: &folder.join("scanner"),
        language: "en",
        kiosk: false,
        arguments: &[],
    }))
    .await;
    let window = window?;
    let glass = window.word("Pair").await?;
    story.expect_in("a scanner out of its box says", "Pair", glass.word, took);

    let code = demo.gates[0].edge.pairing_code().await?;
    window.scan(&code).await?;
    // The node has one gate, and one show there: nothing is to be chosen.
    let glass = window.word("Ready").await?;
    let is_there = glass.text.contains(demo.gates[0].name);
    story.holds(
        "paired, it is at its gate",
        is_there,
        first_lines(&glass.text),
    );
    window.says("Live: the core decides").await?;

    let guest = demo.next_ticket()?;
    let inside = demo.next_ticket()?;
    demo.gates[1].scanner.scan(&inside.token).await?;
    for (what, ticket, word, picture) in [
        ("a guest", guest, "Enter", "window-enter.png"),
        (
            "a ticket that came in by the other gate",
            inside,
            "Used",
            "window-used.png",
        ),
    ] {
        let (seen, took) = timed(async {
            window.scan(&ticket.token).await?;
            window.verdict(word).await
        })
        .await;
        story.expect_in(what, word, seen?.word, took);
        window.keep(&folder.join(picture)).await?;
    }
    alone(story, demo, &window).await?;
    window.close().await
}

/// The line is cut: the bar with the countdown, and still an answer.
async fn alone(story: &mut Story, demo: &mut Demo, window: &GateWindow) -> Result<()> {
    let edge = &demo.gates[0].edge;
    edge.catch_up(SOON).await?;
    edge.link.cut();
    let guest = demo.next_ticket()?;
    window.scan(&guest.token).await?;
    let glass = window.verdict("Enter").await?;
    story.expect("the line is cut: a guest", "Enter", glass.word);
    let glass = window.says("On our own: the line is down").await?;
    let counts = glass.text.contains("locks in");
    story.holds(
        "with a countdown to the lock above",
        counts,
        first_lines(&glass.text),
    );
    window
        .keep(&demo.world.folder.join("window-alone.png"))
        .await?;
    let edge = &demo.gates[0].edge;
    edge.link.heal();
    edge.wait_for_mode(Mode::Online, SOON).await?;
    window.dismiss().await?;
    let glass = window.says("Live: the core decides").await?;
    story.expect("the line is back", "Ready", glass.word);
    window
        .keep(&demo.world.folder.join("window-ready.png"))
        .await?;
    Ok(())
}

fn first_lines(text: &str) -> String {
    text.lines().take(3).collect::<Vec<_>>().join(" ")
}
