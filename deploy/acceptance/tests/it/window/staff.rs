//! Who holds the scanner: the first time by telephone, then by a PIN, and one after the other.

use anyhow::{Result, ensure};
use eventify_acceptance::world::window::Glass;
use serde_json::json;

use super::{
    crew::{STEWARD, SUPERVISOR},
    evening::Evening,
    words::{ENGLISH, FRENCH},
};

pub(super) async fn somebody_signs_in_with_their_telephone_and_chooses_a_pin(
    evening: &mut Evening,
) -> Result<()> {
    evening.staff = evening.hire().await?;
    let window = &evening.window;
    evening.who_is_here(&ENGLISH).await?;
    window.says("First time here").await?;
    evening.keep("people-en").await?;
    // They change their mind, on the telephone.
    window.press(STEWARD.name).await?;
    evening.answer_on_a_telephone(None, "sign-in-en").await?;
    window.word(ENGLISH.not_signed_in).await?;
    window.says("was refused on the telephone").await?;
    evening.keep("sign-in-denied").await?;
    window.press(ENGLISH.sign_in).await?;
    let account = Some(STEWARD.account);
    evening
        .answer_on_a_telephone(account, "sign-in-again")
        .await?;
    window.word(ENGLISH.choose_pin).await?;
    evening.keep("new-pin-en").await?;

    let again = "Type the same six digits again.";
    evening.tap_pin("123456").await?;
    window.says(again).await?;
    evening.tap_pin("123456").await?;
    window.says("Everybody tries that one first.").await?;
    evening.keep("new-pin-simple").await?;
    evening.tap_pin(STEWARD.pin).await?;
    window.says(again).await?;
    evening.tap_pin(SUPERVISOR.pin).await?;
    window.says("The two were not the same.").await?;
    evening.tap_pin(STEWARD.pin).await?;
    window.says(again).await?;
    evening.tap_pin(STEWARD.pin).await?;
    evening.on_shift(&STEWARD, &ENGLISH).await?;
    evening.keep("ready-on-shift-en").await?;
    let guest = evening.guest()?;
    evening.verdict(&guest.token, ENGLISH.admit, "go").await?;
    evening.keep("admit-on-shift").await?;
    evening.ready().await
}

pub(super) async fn a_colleague_takes_over_and_ends_the_shift(evening: &mut Evening) -> Result<()> {
    evening.speak(&FRENCH).await?;
    let window = &evening.window;
    evening.who_is_here(&FRENCH).await?;
    evening.keep("people-fr").await?;
    window.press(SUPERVISOR.name).await?;
    let account = Some(SUPERVISOR.account);
    evening.answer_on_a_telephone(account, "sign-in-fr").await?;
    window.word(FRENCH.choose_pin).await?;
    evening.keep("new-pin-fr").await?;
    evening.tap_pin(SUPERVISOR.pin).await?;
    window.says("Tapez encore les mêmes six chiffres.").await?;
    evening.tap_pin(SUPERVISOR.pin).await?;
    let glass = evening.on_shift(&SUPERVISOR, &FRENCH).await?;
    ensure!(!glass.text.contains(STEWARD.name), "{}", glass.text);
    evening.keep("ready-on-shift-fr").await?;
    evening.speak(&ENGLISH).await?;
    evening.end_shift(&ENGLISH).await
}

pub(super) async fn a_pin_is_enough_when_the_line_is_cut(evening: &mut Evening) -> Result<()> {
    evening.cut().await?;
    let window = &evening.window;
    evening.who_is_here(&ENGLISH).await?;
    window.says("No PIN yet, and the line is down").await?;
    evening.keep("people-degraded-en").await?;
    window.press(STEWARD.name).await?;
    window.word(STEWARD.name).await?;
    evening.keep("person-pin-en").await?;
    evening.tap_pin(SUPERVISOR.pin).await?;
    window.says("Wrong PIN. 4 more tries.").await?;
    evening.keep("person-pin-wrong").await?;
    evening.tap_pin(STEWARD.pin).await?;
    evening.on_shift(&STEWARD, &ENGLISH).await?;
    evening.keep("ready-on-shift-degraded").await?;
    let guest = evening.guest()?;
    let glass = evening.verdict(&guest.token, ENGLISH.admit, "go").await?;
    ensure!(glass.text.contains("This gate decided"), "{}", glass.text);
    evening.ready().await?;
    evening.speak(&FRENCH).await?;
    evening.who_is_here(&FRENCH).await?;
    evening.keep("people-degraded-fr").await?;
    evening.window.press(SUPERVISOR.name).await?;
    evening.window.word(SUPERVISOR.name).await?;
    evening.keep("person-pin-fr").await?;
    evening.window.dismiss().await?;
    evening.window.word(FRENCH.who_is_here).await?;
    evening.window.dismiss().await?;
    evening.window.word(FRENCH.ready).await?;
    evening.speak(&ENGLISH).await?;
    evening.heal().await?;
    evening.end_shift(&ENGLISH).await
}

pub(super) async fn where_the_venue_wants_it_a_scan_waits_until_somebody_is_signed_in(
    evening: &mut Evening,
) -> Result<()> {
    evening.wish(json!({ "shiftNeeded": true })).await?;
    let (guest, next) = (evening.guest()?, evening.guest()?);
    evening.window.scan(&guest.token).await?;
    let glass = evening.window.word(ENGLISH.who_is_here).await?;
    ensure!(
        glass.text.contains("1 scan waits, and goes on"),
        "{}",
        glass.text
    );
    evening.keep("people-needed-en").await?;
    evening.window.scan(&next.token).await?;
    evening
        .window
        .says("Sign in first. Then scan the ticket again.")
        .await?;
    evening.keep("people-needed-scan").await?;
    evening.speak(&FRENCH).await?;
    evening.window.word(FRENCH.who_is_here).await?;
    evening.keep("people-needed-fr").await?;
    evening.speak(&ENGLISH).await?;
    evening.prove(&STEWARD).await?;
    let seat = guest.seat.unwrap_or_default();
    let seat = seat.rsplit('-').next().unwrap_or_default().to_owned();
    // Nobody has scanned the first guest's ticket again.
    let is_in = |glass: &Glass| glass.class.as_deref() == Some("go") && glass.text.contains(&seat);
    evening.window.until("the guest who waited", is_in).await?;
    evening.verdict(&next.token, ENGLISH.admit, "go").await?;
    evening.ready().await?;
    evening.wish(json!({ "shiftNeeded": false })).await?;
    evening.end_shift(&ENGLISH).await
}
