//! A scanner's evening beside its scans: looking back, practising, being switched off, being removed.

use anyhow::{Context as _, Result};
use eventify_stack::us_keyboard::named;

use super::{
    evening::Evening,
    words::{ENGLISH, FRENCH},
};

pub(super) async fn the_last_ten_can_be_looked_at(evening: &mut Evening) -> Result<()> {
    let guest = evening.guest()?;
    let token = guest.token;
    evening.verdict(&token, ENGLISH.admit, "go").await?;
    evening.verdict(&token, ENGLISH.used, "used").await?;
    for words in [&ENGLISH, &FRENCH] {
        evening.speak(words).await?;
        evening.window.key(named::F3).await?;
        let glass = evening.window.word(words.history).await?;
        let newest = glass.text.find(words.used).context("the newest scan")?;
        let before = glass.text.find(words.admit).context("the one before")?;
        assert!(newest < before, "the newest first: {}", glass.text);
        evening.keep(&format!("history-{}", words.code)).await?;
        evening.window.dismiss().await?;
    }
    evening.speak(&ENGLISH).await?;
    evening.ready().await
}

pub(super) async fn a_drill_lets_nobody_in(evening: &mut Evening) -> Result<()> {
    let inside = evening.admitted().await?;
    evening.window.key(named::F10).await?;
    evening.window.press("Start drill").await?;
    let drill = "Drill: nobody is let in by this";
    evening.window.says(drill).await?;
    evening.window.dismiss().await?;
    // A real ticket is no code of a drill.
    let guest = evening.guest()?;
    evening.window.scan(&guest.token).await?;
    evening
        .window
        .says("That code is for pairing, settings or drills.")
        .await?;
    evening.window.press("Next ticket").await?;
    let glass = evening.window.says("What do you do?").await?;
    assert!(glass.text.contains(drill), "{}", glass.text);
    evening.keep("drill").await?;
    evening.window.type_by_hand("1").await?;
    evening.window.says("of 1 right").await?;
    evening.keep("drill-answered").await?;
    evening.window.key(named::F12).await?;
    let is_over = |glass: &eventify_acceptance::world::window::Glass| !glass.text.contains(drill);
    evening
        .window
        .until("the end of the drill", is_over)
        .await?;
    evening.ready().await?;
    assert_eq!(evening.admitted().await?, inside, "nobody was let in");
    evening.verdict(&guest.token, ENGLISH.admit, "go").await?;
    evening.ready().await
}

pub(super) async fn switched_off_and_on_it_is_at_its_gate_again(
    evening: &mut Evening,
) -> Result<()> {
    // In a hurry, as somebody does who has seen it hang once.
    for _ in 0..3 {
        evening.window.restart().await?;
        let glass = evening.window.word(ENGLISH.ready).await?;
        assert!(glass.text.contains("North gate"), "{}", glass.text);
    }
    let guest = evening.guest()?;
    evening.verdict(&guest.token, ENGLISH.admit, "go").await?;
    evening.ready().await
}

/// The edge's own tests hold that it is out within a second; here it is seen without anybody scanning.
pub(super) async fn an_unpaired_scanner_is_out(evening: &mut Evening) -> Result<()> {
    let scanners = evening.north.edge.scanners().await?;
    let ours = scanners
        .iter()
        .find(|(label, _)| label.starts_with("Scanner "));
    let (_, id) = ours.context("the window's scanner is in the list")?;
    evening.north.edge.unpair(id).await?;
    let glass = evening.window.word(ENGLISH.pair_again).await?;
    assert!(
        glass.text.contains("was removed at the node"),
        "{}",
        glass.text
    );
    evening.keep("pair-again-en").await?;
    let guest = evening.guest()?;
    evening.window.scan(&guest.token).await?;
    let glass = evening.window.glass().await?;
    assert_eq!(glass.class, None, "no verdict: {}", glass.text);
    evening.speak(&FRENCH).await?;
    evening.window.word(FRENCH.pair_again).await?;
    evening.keep("pair-again-fr").await?;
    evening.speak(&ENGLISH).await?;
    // A new code, scanned where it stands, puts it to work again.
    let code = evening.north.edge.pairing_code().await?;
    evening.window.scan(&code).await?;
    evening.window.word(ENGLISH.ready).await?;
    evening.verdict(&guest.token, ENGLISH.admit, "go").await?;
    evening.ready().await
}
