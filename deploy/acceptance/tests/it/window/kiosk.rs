//! A gate's screen in the hands of somebody who wants out of it.

use std::path::Path;

use anyhow::{Result, ensure};
use eventify_acceptance::{
    wait,
    world::window::{GateWindow, Start},
};
use eventify_stack::us_keyboard::named;

use super::evening::SOON;

const PIN: &str = "2580";

/// Of a web view, of GTK and of window managers.
const CHORDS: [&str; 16] = [
    "F5",
    "F11",
    "F1",
    "Menu",
    "shift+F10",
    "ctrl+r",
    "ctrl+shift+r",
    "ctrl+w",
    "ctrl+q",
    "ctrl+n",
    "ctrl+p",
    "ctrl+shift+i",
    "ctrl+plus",
    "alt+Left",
    "alt+Home",
    "alt+F4",
];
/// What a page can do by itself, if somebody gets a script into it.
const SCRIPTS: [&str; 6] = [
    "location.href = 'https://example.org/'",
    "location.href = 'file:///etc/passwd'",
    "location.href = 'data:text/html,out'",
    "window.open('https://example.org/')",
    "window.open('about:blank')",
    "window.close()",
];
/// The page is the one that was there, and nothing on it is scaled.
const MARK: &str = "window.stillHere = true";
const PAGE: &str = "return [window.stillHere === true, location.protocol, devicePixelRatio, outerWidth, outerHeight]";

pub(super) async fn nobody_gets_out(folder: &Path) -> Result<()> {
    let window = GateWindow::open(Start {
        data: &folder.join("data"),
        language: "en",
        kiosk: true,
        arguments: &[],
    })
    .await?;
    window.word("Pair").await?;
    set_pin(&window).await?;
    window.window().run(MARK).await?;
    let page = window.window().run(PAGE).await?;
    let visible = window.window().visible()?;
    ensure!(visible.len() == 1, "one window alone: {visible:?}");
    let glass = (
        visible[0].x,
        visible[0].y,
        visible[0].width,
        visible[0].height,
    );
    ensure!(glass == (0, 0, 540, 960), "it fills the screen: {glass:?}");

    for chord in CHORDS {
        window.window().press_chord(chord).await?;
        stays(&window, &page, chord).await?;
    }
    window.window().click_button(3).await?;
    stays(&window, &page, "the right button").await?;
    for script in SCRIPTS {
        // Later, as a page does it: the driver's own script would end with its page.
        let later = format!("setTimeout(() => {{ {script} }})");
        window.window().run(&later).await?;
        stays(&window, &page, script).await?;
    }

    window.window().ask_to_close()?;
    window.says("Enter the PIN to leave full screen.").await?;
    window.type_by_hand("1111").await?;
    window.key(named::ENTER).await?;
    window.says("Wrong PIN. Enter it again.").await?;
    window.dismiss().await?;
    window.word("Pair").await?;
    stays(&window, &page, "a wrong PIN").await?;

    window.window().ask_to_close()?;
    window.word("PIN").await?;
    window.type_by_hand(PIN).await?;
    window.key(named::ENTER).await?;
    window.word("Pair").await?;
    window.window().ask_to_close()?;
    wait::until("the end of the program", SOON, async || {
        Ok(window.window().visible()?.is_empty().then_some(()))
    })
    .await
}

async fn set_pin(window: &GateWindow) -> Result<()> {
    window.key(named::F10).await?;
    window.word("Settings").await?;
    let field = "//input[@type='password']";
    wait::until("the field of the PIN", SOON, async || {
        Ok(window.window().click(field).await?.then_some(()))
    })
    .await?;
    window.type_by_hand(PIN).await?;
    window.press("Set").await?;
    window.says("A new one needs the present one.").await?;
    window.dismiss().await?;
    window.word("Pair").await?;
    Ok(())
}

/// What was tried has no effect: the page still answers, is the same, and no other window is seen.
async fn stays(window: &GateWindow, page: &serde_json::Value, tried: &str) -> Result<()> {
    // Two pictures later whatever was tried has happened.
    window.window().frames(2).await?;
    let now = window.window().run(PAGE).await?;
    ensure!(now == *page, "{tried}: {now} in the place of {page}");
    let visible = window.window().visible()?;
    ensure!(visible.len() == 1, "{tried}: {visible:?}");
    // Where a chord is one of the app's own keys, Escape leads back.
    window.dismiss().await?;
    window.word("Pair").await?;
    Ok(())
}
