//! The line to the core is cut, and the node itself is gone.

use anyhow::{Result, ensure};
use eventify_acceptance::world::window::Glass;
use eventify_protocol::verdict::Mode;
use eventify_stack::{Direction, us_keyboard::named};
use serde_json::json;

use super::{
    evening::{Evening, SOON},
    words::{ENGLISH, FRENCH},
};

/// From the cut of the line to the lock, where that is to be seen.
const SHORT: u32 = 20;

/// What this venue does meanwhile, in its own words: as many and as long as it may.
const PROCEDURE: [&str; 6] = [
    "Radio channel 3: “North gate is locked”",
    "Rope across the lane, two stewards in front of it",
    "Canal radio 3 : « porte nord bloquée », puis attendez la réponse du responsable",
    "Guests with children and wheelchairs first, by the Terrace gate",
    "No paper lists, no photos of tickets",
    "Water for the queue after 15 minutes",
];

pub(super) async fn a_cut_line_counts_down_to_the_lock_and_comes_back_by_itself(
    evening: &mut Evening,
) -> Result<()> {
    let guests = [evening.guest()?, evening.guest()?];
    let policy = json!({ "maxCacheAgeMs": 1_000 * SHORT, "procedure": PROCEDURE });
    evening.wish(policy).await?;
    evening.north.edge.link.cut();
    // The node notices at its next question to the core.
    evening
        .verdict(&guests[0].token, ENGLISH.admit, "go")
        .await?;
    let glass = evening.window.says("On our own: the line is down").await?;
    assert!(glass.text.contains("This gate decided"), "{}", glass.text);
    evening.keep("degraded-admit").await?;
    evening.ready().await?;
    evening.keep("degraded-en").await?;
    let left = evening.counts_down("").await?;
    ensure!(left > 0 && left <= SHORT, "{left} s");
    evening
        .verdict(&guests[0].token, ENGLISH.used, "used")
        .await?;
    evening.window.dismiss().await?;
    evening.speak(&FRENCH).await?;
    evening.keep("degraded-fr").await?;

    let glass = evening.window.word(FRENCH.locked).await?;
    for step in PROCEDURE {
        ensure!(glass.text.contains(step), "{step}: {}", glass.text);
    }
    evening.keep("locked-fr").await?;
    let another = evening.guest()?;
    evening.verdict(&another.token, "Attente", "hold").await?;
    evening.keep("locked-scan-fr").await?;
    evening.window.dismiss().await?;
    evening.speak(&ENGLISH).await?;
    evening.window.word(ENGLISH.locked).await?;
    evening.keep("locked-en").await?;
    let glass = evening.verdict(&guests[1].token, "Wait", "hold").await?;
    ensure!(glass.text.contains("Nobody decided"), "{}", glass.text);
    evening.keep("locked-scan-en").await?;
    evening.window.dismiss().await?;
    evening.window.key(named::F4).await?;
    let nobody = "Nobody decides here now: nobody is let in";
    let glass = evening.window.says(nobody).await?;
    let searches = "What this gate knows of guests is too old to look at.";
    ensure!(glass.text.contains(searches), "{}", glass.text);
    evening.keep("supervisor-locked").await?;
    evening.window.dismiss().await?;
    evening.window.word(ENGLISH.locked).await?;

    heals(evening).await?;
    evening
        .verdict(&guests[1].token, ENGLISH.admit, "go")
        .await?;
    evening.ready().await?;
    evening.wish(json!({ "procedure": [] })).await
}

/// What the node has decided alone is told first, and until then it says so.
async fn heals(evening: &mut Evening) -> Result<()> {
    evening.north_proxy.hold(Direction::Up, "journal");
    evening.north.edge.link.heal();
    evening
        .window
        .says("Line is back, telling the core")
        .await?;
    evening.ready().await?;
    let glass = evening.window.says("left").await?;
    assert!(
        glass.text.contains("Sending home, then live"),
        "{}",
        glass.text
    );
    evening.keep("resyncing-en").await?;
    evening.speak(&FRENCH).await?;
    evening.keep("resyncing-fr").await?;
    evening.speak(&ENGLISH).await?;
    evening.north_proxy.release(Direction::Up, "journal");
    evening.online().await
}

pub(super) async fn a_node_that_is_gone_is_said_and_found_again(
    evening: &mut Evening,
) -> Result<()> {
    evening.north.edge.kill().await?;
    let glass = evening.window.word(ENGLISH.no_node).await?;
    assert!(
        glass.text.contains("nobody is let in here"),
        "{}",
        glass.text
    );
    evening.keep("no-node-en").await?;
    evening.speak(&FRENCH).await?;
    evening.window.word(FRENCH.no_node).await?;
    evening.keep("no-node-fr").await?;
    evening.speak(&ENGLISH).await?;
    // A guest who stands there: the same scan is asked when the node is back.
    let guest = evening.guest()?;
    evening.window.scan(&guest.token).await?;
    evening.window.says("1 scan has no answer.").await?;
    evening.keep("no-node-waiting").await?;
    evening.north.edge.start().await?;
    evening.north.edge.wait_for_mode(Mode::Online, SOON).await?;
    let is_answered = |glass: &Glass| glass.word == ENGLISH.admit;
    evening.window.until("the answer", is_answered).await?;
    evening.ready().await?;
    evening.online().await
}
