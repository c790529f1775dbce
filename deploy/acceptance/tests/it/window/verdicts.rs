//! What a steward is told about a ticket.

use anyhow::Result;
use eventify_acceptance::world::customer::Ticket;
use eventify_protocol::{
    sync::{Down, Envelope},
    verdict::{Mode, Verdict},
};
use eventify_stack::Direction;

use super::{
    evening::{Evening, SOON},
    words::{ENGLISH, FRENCH, Words},
};

pub(super) async fn each_answer_has_its_screen_in_both_languages(
    evening: &mut Evening,
) -> Result<()> {
    for words in [&ENGLISH, &FRENCH] {
        evening.speak(words).await?;
        answers(evening, words).await?;
    }
    evening.window.dismiss().await?;
    evening.speak(&ENGLISH).await
}

async fn answers(evening: &mut Evening, words: &Words) -> Result<()> {
    let guest = evening.guest()?;
    let glass = evening.verdict(&guest.token, words.admit, "go").await?;
    let seat = guest.seat.clone().unwrap_or_default();
    let number = seat.rsplit('-').next().unwrap_or_default().to_owned();
    assert!(glass.text.contains(&number), "{seat}: {}", glass.text);
    evening.keep(&format!("admit-{}", words.code)).await?;

    let inside = evening.guest_inside().await?;
    let glass = evening.verdict(&inside.token, words.used, "used").await?;
    assert!(glass.text.contains("South gate"), "{}", glass.text);
    evening.keep(&format!("used-{}", words.code)).await?;

    let forged = evening.guest()?.forged()?;
    evening.verdict(&forged, words.forged, "stop").await?;
    evening.keep(&format!("forged-{}", words.code)).await?;

    let elsewhere = evening.elsewhere.token.clone();
    let glass = evening.verdict(&elsewhere, words.not_here, "stop").await?;
    assert!(glass.text.contains("South gate"), "{}", glass.text);
    evening.keep(&format!("not-here-{}", words.code)).await?;

    let too_early = evening.too_early.token.clone();
    evening.verdict(&too_early, words.not_yet, "stop").await?;
    evening.keep(&format!("not-yet-{}", words.code)).await?;

    let poster = format!("HTTPS://EXAMPLE.ORG/{}", words.code.to_uppercase());
    evening.verdict(&poster, words.unreadable, "stop").await?;
    evening.keep(&format!("unreadable-{}", words.code)).await
}

/// The core has let a ticket in at the south gate, and its verdict is lost there, and so is the journal that
/// would say what was shown.
pub(super) async fn a_ticket_that_nobody_confirmed_is_a_screen_of_its_own(
    evening: &mut Evening,
) -> Result<()> {
    evening.south_proxy.hold(Direction::Up, "journal");
    let guest = lost_verdict(evening).await?;
    let glass = evening
        .verdict(&guest.token, ENGLISH.unconfirmed, "used")
        .await?;
    assert!(glass.text.contains("supervisor"), "{}", glass.text);
    evening.keep("unconfirmed-en").await?;
    evening.window.dismiss().await?;
    evening.speak(&FRENCH).await?;
    evening
        .verdict(&guest.token, FRENCH.unconfirmed, "used")
        .await?;
    evening.keep("unconfirmed-fr").await?;
    evening.window.dismiss().await?;
    evening.speak(&ENGLISH).await?;
    evening.south_proxy.release(Direction::Up, "journal");
    let south = &evening.south.edge;
    south.wait_for_mode(Mode::Online, SOON).await?;
    evening.ready().await
}

/// A guest whom the core has let in at the south gate, which has not heard it. A core that is busy may give
/// no verdict in time: then it is another guest.
async fn lost_verdict(evening: &mut Evening) -> Result<Ticket> {
    loop {
        let guest = evening.guest()?;
        evening.south_proxy.hold(Direction::Down, "verdict");
        let answer = evening.south.scanner.scan(&guest.token).await?;
        let admits = |payload: &[u8]| {
            let message = Envelope::<Down>::from_bytes(payload).ok()?;
            let Down::Verdict(answer) = message.body else {
                return None;
            };
            Some(answer.verdict == Verdict::Admit)
        };
        let by_core = evening.south_proxy.held(Direction::Down, "verdict", admits);
        let by_core = tokio::time::timeout(SOON, by_core).await?;
        evening.south_proxy.discard(Direction::Down, "verdict");
        if by_core && answer.verdict == Verdict::Admit {
            return Ok(guest);
        }
        evening.south.edge.wait_for_mode(Mode::Online, SOON).await?;
    }
}

pub(super) async fn the_short_code_under_a_ticket_admits_its_guest(
    evening: &mut Evening,
) -> Result<()> {
    let guest = evening.guest()?;
    let (first, second) = guest.short_code.split_at(5);
    evening.window.type_by_hand(first).await?;
    evening
        .window
        .says("Enter sends it, Esc clears it.")
        .await?;
    evening.keep("short-code-typed").await?;
    evening.window.type_by_hand(second).await?;
    evening
        .window
        .key(eventify_stack::us_keyboard::named::ENTER)
        .await?;
    let glass = evening.window.word(ENGLISH.admit).await?;
    assert_eq!(glass.class.as_deref(), Some("go"));
    // The same guest's QR code is used from then on.
    evening.verdict(&guest.token, ENGLISH.used, "used").await?;
    evening.ready().await
}
