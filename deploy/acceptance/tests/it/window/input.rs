//! How codes come in: imagers that type, and such on a serial line.

use anyhow::Result;
use eventify_stack::us_keyboard::named;

use super::{evening::Evening, words::ENGLISH};

const COUNT_KEYS: &str = "
    window.keys = 0;
    for (const way of ['keydown', 'keyup'])
        addEventListener(way, () => { window.keys += 1; }, { capture: true });";
const KEYS: &str = "return window.keys";

/// An imager types by the keys of a US keyboard, whatever the machine believes to have. Its keys are read before the
/// page, of which WebKit would keep something for each.
pub(super) async fn an_imager_is_understood_on_every_keyboard_layout(
    evening: &mut Evening,
) -> Result<()> {
    evening.window.window().run(COUNT_KEYS).await?;
    for layout in ["fr", "de", "us"] {
        evening.window.window().set_layout(layout).await?;
        let guest = evening.guest()?;
        evening.verdict(&guest.token, ENGLISH.admit, "go").await?;
        // Whoever typed a PIN before has left caps lock on.
        evening.window.key(named::CAPS_LOCK).await?;
        let guest = evening.guest()?;
        evening.verdict(&guest.token, ENGLISH.admit, "go").await?;
        evening.window.key(named::CAPS_LOCK).await?;
        evening.window.dismiss().await?;
    }
    let in_page = evening.window.window().run(KEYS).await?;
    assert_eq!(in_page, 0, "keys of codes came into the page");
    evening.ready().await
}

pub(super) async fn half_a_code_is_never_sent(evening: &mut Evening) -> Result<()> {
    let guest = evening.guest()?;
    let (half, _) = guest.token.split_at(guest.token.len() / 2);
    evening.window.half_a_code(half).await?;
    evening
        .window
        .says("The code was cut off. Scan again.")
        .await?;
    evening.keep("half-code").await?;
    let glass = evening.window.glass().await?;
    assert_eq!(glass.class, None, "no verdict: {}", glass.text);
    evening.verdict(&guest.token, ENGLISH.admit, "go").await?;
    evening.ready().await
}

pub(super) async fn a_serial_imager_reads_through_torn_halves_and_a_pulled_plug(
    evening: &mut Evening,
) -> Result<()> {
    let guest = evening.guest()?;
    evening.imager.send(&format!("{}\r\n", guest.token))?;
    evening.window.word(ENGLISH.admit).await?;
    evening.ready().await?;

    // Radio: half of the code, then the rest.
    let guest = evening.guest()?;
    let (first, second) = guest.token.split_at(40);
    evening.imager.send(first)?;
    evening.imager.send(&format!("{second}\r"))?;
    evening.window.word(ENGLISH.admit).await?;
    evening.ready().await?;

    evening.imager.unplug()?;
    let gone = format!("{} is gone. Plug it in again.", evening.imager.name());
    evening.window.says(&gone).await?;
    evening.keep("imager-gone").await?;
    evening.imager.plug_in()?;
    let is_back = |glass: &eventify_acceptance::world::window::Glass| !glass.text.contains(&gone);
    evening
        .window
        .until("the imager to be back", is_back)
        .await?;
    let guest = evening.guest()?;
    evening.imager.send(&format!("{}\r", guest.token))?;
    evening.window.word(ENGLISH.admit).await?;
    evening.ready().await
}
