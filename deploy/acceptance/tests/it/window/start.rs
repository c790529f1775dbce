//! A scanner out of its box: it is paired, and put at its gate.

use anyhow::Result;

use super::{
    evening::Evening,
    words::{ENGLISH, FRENCH},
};

pub(super) async fn a_scanner_that_nobody_has_paired_asks_for_a_code(
    evening: &mut Evening,
) -> Result<()> {
    let glass = evening.window.word(ENGLISH.pair).await?;
    assert!(glass.text.contains("eventify-edge pair"), "{}", glass.text);
    evening.keep("pair-en").await?;
    evening.speak(&FRENCH).await?;
    evening.window.word(FRENCH.pair).await?;
    evening.keep("pair-fr").await?;
    evening.speak(&ENGLISH).await
}

pub(super) async fn a_code_that_is_cut_or_used_is_refused_with_what_to_do(
    evening: &mut Evening,
) -> Result<()> {
    let window = &evening.window;
    let code = evening.north.edge.pairing_code().await?;
    let (half, _) = code.split_at(code.len() / 2);
    window
        .scan_until(half, "The code was cut off. Scan again.")
        .await?;
    evening.keep("pair-half-code").await?;
    // Somebody else was faster.
    let rival = eventify_acceptance::scanner::Scanner::pair(&code, "rival", [9; 32]).await?;
    drop(rival);
    window.scan(&code).await?;
    window.says("That code has ended or was used.").await?;
    evening.keep("pair-code-used").await
}

pub(super) async fn it_is_paired_by_typing_and_put_at_its_gate_and_show(
    evening: &mut Evening,
) -> Result<()> {
    let window = &evening.window;
    let code = evening.north.edge.pairing_code().await?;
    window.scan(&code).await?;
    window.word("Which gate?").await?;
    window.press("North gate").await?;
    window.says("Which show at North gate?").await?;
    evening.keep("choose-gate").await?;
    window.press("Nuit blanche").await?;
    let glass = window.word(ENGLISH.ready).await?;
    assert!(
        glass.text.contains("North gate\nNuit blanche"),
        "{}",
        glass.text
    );
    evening.online().await?;
    evening.keep("ready-en").await?;
    evening.speak(&FRENCH).await?;
    evening.keep("ready-fr").await?;
    evening.speak(&ENGLISH).await
}
