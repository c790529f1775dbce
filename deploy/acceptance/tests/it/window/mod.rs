//! The scanner app in its real window, at a real node and core: one evening at the north gate, played by
//! keys, fingers and imagers, and read from the glass. What stands there is kept in
//! `target/screens/window/`, to be looked at.
//!
//! A scene is a function of its file, and a line in [`SCENES`]. It begins and ends with the ready screen, in
//! English, at a node with its line. A new one goes where that holds. `EVENTIFY_SCENES=line,life` plays those whose
//! names begin so, after the scanner was paired; `supervisor` and `guests` need `staff` before them.

mod crew;
mod evening;
mod guests;
mod input;
mod kiosk;
mod life;
mod line;
mod looks;
mod staff;
mod start;
mod supervisor;
mod verdicts;
mod words;

use anyhow::Result;
use futures_util::future::BoxFuture;

use self::evening::Evening;

type Scene = for<'e> fn(&'e mut Evening) -> BoxFuture<'e, Result<()>>;

/// A name for whoever reads why it failed, and the scene.
macro_rules! scenes {
    ($($file:ident :: $scene:ident,)*) => {
        [$((
            concat!(stringify!($file), "::", stringify!($scene)),
            |evening| Box::pin($file::$scene(evening)),
        ),)*]
    };
}

/// How the names of the scenes to play begin; all of them without it.
const WANTED: &str = "EVENTIFY_SCENES";

const SCENES: &[(&str, Scene)] = &scenes![
    start::a_scanner_that_nobody_has_paired_asks_for_a_code,
    start::a_code_that_is_cut_or_used_is_refused_with_what_to_do,
    start::it_is_paired_by_typing_and_put_at_its_gate_and_show,
    verdicts::each_answer_has_its_screen_in_both_languages,
    verdicts::a_ticket_that_nobody_confirmed_is_a_screen_of_its_own,
    verdicts::the_short_code_under_a_ticket_admits_its_guest,
    input::an_imager_is_understood_on_every_keyboard_layout,
    input::half_a_code_is_never_sent,
    input::a_serial_imager_reads_through_torn_halves_and_a_pulled_plug,
    life::the_last_ten_can_be_looked_at,
    looks::every_colour_scheme_and_size_can_be_read,
    life::a_drill_lets_nobody_in,
    staff::somebody_signs_in_with_their_telephone_and_chooses_a_pin,
    staff::a_colleague_takes_over_and_ends_the_shift,
    staff::a_pin_is_enough_when_the_line_is_cut,
    staff::where_the_venue_wants_it_a_scan_waits_until_somebody_is_signed_in,
    supervisor::a_supervisor_lets_in_whom_a_scan_has_refused,
    supervisor::the_last_admission_is_taken_back_within_a_minute,
    supervisor::whoever_leaves_is_scanned_and_comes_back,
    supervisor::a_scanner_moves_to_another_gate_by_a_supervisors_word,
    supervisor::alone_they_do_it_too_and_the_report_says_who_and_why,
    guests::those_who_may_find_guests_by_name_order_and_seat,
    guests::a_gate_that_is_alone_says_how_old_it_is_and_a_venue_can_switch_it_off,
    line::a_cut_line_counts_down_to_the_lock_and_comes_back_by_itself,
    line::a_node_that_is_gone_is_said_and_found_again,
    life::switched_off_and_on_it_is_at_its_gate_again,
    life::an_unpaired_scanner_is_out,
];

#[tokio::test(flavor = "multi_thread")]
async fn an_evening_at_the_gate_in_the_real_window() {
    crate::install_tls();
    let _alone = crate::ONE_WORLD.lock().await;
    let mut evening = Evening::begin().await.expect("the evening begins");
    let wanted = std::env::var(WANTED).unwrap_or_default();
    let is_wanted = |name: &&str| {
        name.starts_with("start::") || wanted.split(',').any(|part| name.starts_with(part))
    };
    for (name, scene) in SCENES.iter().filter(|(name, _)| is_wanted(name)) {
        let begun = eventify_acceptance::clock::instant();
        let played = scene(&mut evening).await;
        evening
            .took(name, begun.elapsed())
            .expect("a file beside the pictures");
        if let Err(error) = played {
            evening.keep("failed").await.ok();
            panic!("{name}: {error:#}");
        }
    }
    evening.end().await.expect("the evening ends in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_out_of_the_window_without_the_pin() {
    crate::install_tls();
    let _alone = crate::ONE_WORLD.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    kiosk::nobody_gets_out(folder.path())
        .await
        .expect("they stay");
}
