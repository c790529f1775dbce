//! What a supervisor does beside scanning, and what the core's report says of it.

use anyhow::{Context as _, Result, bail, ensure};
use eventify_acceptance::{wait, world::window::Glass};
use eventify_protocol::verdict::Mode;
use eventify_stack::us_keyboard::named;
use serde_json::Value;

use super::{
    crew::{STEWARD, SUPERVISOR},
    evening::{Evening, SOON, TRIES},
    words::{ENGLISH, FRENCH, Words},
};

pub(super) async fn a_supervisor_lets_in_whom_a_scan_has_refused(
    evening: &mut Evening,
) -> Result<()> {
    evening.begin_shift(&STEWARD, &ENGLISH).await?;
    let inside = evening.guest_inside().await?;
    evening.verdict(&inside.token, ENGLISH.used, "used").await?;
    evening.keep("used-on-shift-en").await?;
    evening.window.press("Supervisor").await?;
    let glass = evening.window.word(ENGLISH.which_supervisor).await?;
    ensure!(
        !glass.text.contains("Box office"),
        "only who may: {}",
        glass.text
    );
    evening.keep("which-supervisor-en").await?;
    evening.prove(&SUPERVISOR).await?;
    evening.window.word(ENGLISH.let_in_anyway).await?;
    evening.keep("override-en").await?;
    evening.window.press("Went out without a scan").await?;
    let glass = evening.window.word(ENGLISH.overridden).await?;
    ensure!(glass.text.contains(SUPERVISOR.name), "{}", glass.text);
    // The core has yet to hear of it, but no line was away.
    ensure!(!glass.text.contains("Line is back"), "{}", glass.text);
    evening.keep("overridden-en").await?;
    evening.ready().await?;
    evening.verdict(&inside.token, ENGLISH.used, "used").await?;
    evening.window.dismiss().await?;

    // The word counts for two minutes.
    evening.speak(&FRENCH).await?;
    let too_early = evening.too_early.token.clone();
    evening.verdict(&too_early, FRENCH.not_yet, "stop").await?;
    evening.keep("not-yet-on-shift-fr").await?;
    evening.window.key(named::F4).await?;
    evening.window.word(FRENCH.let_in_anyway).await?;
    evening.keep("override-fr").await?;
    evening.window.press("Autre raison").await?;
    evening.window.type_by_hand("artistes, vu avec la").await?;
    evening.window.press("Lettres").await?;
    for letter in ["␣", "R", "E", "G", "I", "E"] {
        evening.window.press(letter).await?;
    }
    evening.keep("override-note-fr").await?;
    evening.window.press("Laisser entrer").await?;
    evening.window.word(FRENCH.overridden).await?;
    evening.keep("overridden-fr").await?;
    evening.window.dismiss().await?;
    evening.speak(&ENGLISH).await?;
    evening.end_shift(&ENGLISH).await
}

pub(super) async fn the_last_admission_is_taken_back_within_a_minute(
    evening: &mut Evening,
) -> Result<()> {
    evening.begin_shift(&STEWARD, &ENGLISH).await?;
    for words in [&ENGLISH, &FRENCH] {
        evening.speak(words).await?;
        let guest = evening.guest()?;
        evening.verdict(&guest.token, words.admit, "go").await?;
        evening.window.key(named::F4).await?;
        evening.window.word(words.needed).await?;
        evening.keep(&format!("supervisor-{}", words.code)).await?;
        take_back(evening, words).await?;
        evening.verdict(&guest.token, words.admit, "go").await?;
        evening.window.dismiss().await?;
    }
    evening.speak(&ENGLISH).await?;
    evening.end_shift(&ENGLISH).await
}

/// From what a supervisor can do to the answer.
async fn take_back(evening: &Evening, words: &Words) -> Result<()> {
    let (undo, stays) = match words.code {
        "en" => ("Take back the entry", "Stays outside"),
        _ => ("Annuler l’entrée", "Reste dehors"),
    };
    evening.window.press(undo).await?;
    by_word(evening, words, words.take_back).await?;
    evening.keep(&format!("undo-{}", words.code)).await?;
    let left = evening.counts_down("main").await?;
    ensure!(left > 0 && left <= 60, "{left} s");
    evening.window.press(stays).await?;
    evening.window.word(words.taken_back).await?;
    evening.keep(&format!("taken-back-{}", words.code)).await?;
    evening.window.dismiss().await
}

/// Waits for a screen that needs a supervisor's word, which is given where it is asked for.
async fn by_word(evening: &Evening, words: &Words, wanted: &str) -> Result<Glass> {
    let is_next = |glass: &Glass| glass.word == wanted || glass.word == words.which_supervisor;
    let glass = evening.window.until(wanted, is_next).await?;
    if glass.word == wanted {
        return Ok(glass);
    }
    evening.prove(&SUPERVISOR).await?;
    evening.window.word(wanted).await
}

pub(super) async fn whoever_leaves_is_scanned_and_comes_back(evening: &mut Evening) -> Result<()> {
    let organiser = evening.world.organiser().await?;
    evening.fixture.allow_reentry(&organiser).await?;
    evening.north.edge.catch_up(SOON).await?;
    evening.begin_shift(&STEWARD, &ENGLISH).await?;
    let guest = evening.guest()?;
    evening.verdict(&guest.token, ENGLISH.admit, "go").await?;
    evening.ready().await?;
    exits(evening, "Scan exits", ENGLISH.exits).await?;
    evening.keep("exit-en").await?;
    leave(evening, &guest.token, &ENGLISH, "The guest is out.").await?;
    evening.keep("left-en").await?;
    let not_inside = "Nobody came in with this ticket.";
    leave(evening, &guest.token, &ENGLISH, not_inside).await?;
    evening.keep("not-inside-en").await?;
    evening.window.dismiss().await?;
    evening.speak(&FRENCH).await?;
    evening.window.word(FRENCH.exits).await?;
    evening.keep("exit-fr").await?;
    // The organiser of that one lets nobody back in.
    let no_way_back = evening.too_early.token.clone();
    let out_is_out = "ne laisse personne rentrer";
    leave(evening, &no_way_back, &FRENCH, out_is_out).await?;
    evening.keep("no-reentry-fr").await?;
    evening.window.dismiss().await?;
    evening.speak(&ENGLISH).await?;
    exits(evening, "Scan entries again", ENGLISH.ready).await?;
    evening.verdict(&guest.token, ENGLISH.admit, "go").await?;
    evening.ready().await?;
    evening.end_shift(&ENGLISH).await
}

/// Scans on the way out, and waits for what is said. A busy core is late, which is a line that is down.
async fn leave(evening: &mut Evening, code: &str, words: &Words, said: &str) -> Result<()> {
    for _ in 0..TRIES {
        evening.north.edge.wait_for_mode(Mode::Online, SOON).await?;
        evening.scan(code).await?;
        let answers = [words.left, words.not_done];
        let is_answered = |glass: &Glass| glass.fresh && answers.contains(&glass.word.as_str());
        let glass = evening.window.until(said, is_answered).await?;
        if glass.text.contains(said) {
            return Ok(());
        }
        let is_late = ["line is down", "ligne est coupée"];
        let is_late = is_late.iter().any(|down| glass.text.contains(down));
        ensure!(is_late, "no {said:?}: {}", glass.text);
    }
    bail!("the core was late {TRIES} times for an exit")
}

/// Exits need the line.
async fn exits(evening: &Evening, key: &str, word: &str) -> Result<()> {
    evening.online().await?;
    evening.window.key(named::F4).await?;
    evening.window.word(ENGLISH.needed).await?;
    evening.window.press(key).await?;
    evening.window.word(word).await?;
    Ok(())
}

pub(super) async fn a_scanner_moves_to_another_gate_by_a_supervisors_word(
    evening: &mut Evening,
) -> Result<()> {
    evening.begin_shift(&STEWARD, &ENGLISH).await?;
    move_to(evening, "Terrace gate").await?;
    let guest = evening.guest()?;
    evening.verdict(&guest.token, ENGLISH.admit, "go").await?;
    evening.ready().await?;
    let status = evening.north.edge.status().await?;
    let terrace = status.gates.iter().find(|gate| gate.name == "Terrace gate");
    let admitted = terrace.context("the other gate")?.admitted;
    ensure!(admitted == 1, "{admitted} guests at the other gate");
    move_to(evening, "North gate").await?;
    evening.end_shift(&ENGLISH).await
}

async fn move_to(evening: &Evening, gate: &str) -> Result<()> {
    evening.window.key(named::F8).await?;
    by_word(evening, &ENGLISH, "Which gate?").await?;
    evening.window.press(gate).await?;
    let which = format!("Which show at {gate}?");
    evening.window.says(&which).await?;
    evening.window.press("Nuit blanche").await?;
    evening.window.word("Change gate?").await?;
    evening.keep("change-gate").await?;
    evening.window.press("Another gate needs hands").await?;
    let is_there = |glass: &Glass| glass.word == ENGLISH.ready && glass.text.contains(gate);
    evening.window.until(gate, is_there).await?;
    Ok(())
}

pub(super) async fn alone_they_do_it_too_and_the_report_says_who_and_why(
    evening: &mut Evening,
) -> Result<()> {
    evening.begin_shift(&STEWARD, &ENGLISH).await?;
    let (guest, other) = (evening.guest()?, evening.guest()?);
    evening.verdict(&guest.token, ENGLISH.admit, "go").await?;
    evening.ready().await?;
    evening.cut().await?;
    evening.verdict(&guest.token, ENGLISH.used, "used").await?;
    evening.window.press("Supervisor").await?;
    by_word(evening, &ENGLISH, ENGLISH.let_in_anyway).await?;
    let reason = "Not inside: first entry was not theirs";
    evening.window.press(reason).await?;
    let glass = evening.window.word(ENGLISH.overridden).await?;
    ensure!(glass.text.contains("This gate decided"), "{}", glass.text);
    evening.keep("overridden-degraded").await?;
    evening.ready().await?;
    evening.verdict(&other.token, ENGLISH.admit, "go").await?;
    evening.window.key(named::F4).await?;
    evening
        .window
        .says("Exits need the line, which is down.")
        .await?;
    evening.keep("supervisor-degraded").await?;
    take_back(evening, &ENGLISH).await?;
    evening.window.word(ENGLISH.ready).await?;
    evening.heal().await?;
    evening.end_shift(&ENGLISH).await?;
    let found = wait::until("the outage in the report", SOON, async || {
        outage_with_acts(evening).await
    });
    check(evening, &found.await?)
}

/// What was done in it last.
const ACTS: [(&str, &str); 2] = [("override", "notInside"), ("undo", "staysOutside")];

fn last_acts(outage: &Value) -> &[Value] {
    let acts = outage["acts"].as_array().map_or(&[][..], Vec::as_slice);
    acts.get(acts.len().saturating_sub(ACTS.len())..)
        .unwrap_or_default()
}

/// Of the north gate, once the core has all of it.
async fn outage_with_acts(evening: &Evening) -> Result<Option<Value>> {
    let report = evening.venue_it.reconciliation().await?;
    let outages = report["outages"].as_array().context("outages")?;
    let is_it = |outage: &&Value| {
        let kinds = last_acts(outage).iter().map(|act| act["kind"].as_str());
        outage["label"] == evening.north.edge.label.as_str()
            && !outage["ended"].is_null()
            && kinds.eq(ACTS.iter().map(|(kind, _)| Some(*kind)))
    };
    Ok(outages.iter().rev().find(is_it).cloned())
}

fn check(evening: &Evening, outage: &Value) -> Result<()> {
    let [_, supervisor, _] = &evening.staff[..] else {
        bail!("three work here");
    };
    for (act, (_, reason)) in last_acts(outage).iter().zip(ACTS) {
        ensure!(act["reason"]["code"] == reason, "{act}");
        ensure!(act["personId"] == supervisor.as_str(), "{act}");
    }
    let of = |class: &str| outage[class].as_u64().unwrap_or(0);
    ensure!(of("overrides") >= 1 && of("undone") >= 1, "{outage}");
    let refused = outage["refused"].as_object().context("refusals")?;
    let refused: u64 = refused.values().filter_map(Value::as_u64).sum();
    let classes = [
        "admitted",
        "doubleEntries",
        "orderUnknown",
        "overrides",
        "undone",
    ];
    let sum = classes.map(of).iter().sum::<u64>() + refused;
    ensure!(sum == of("scans") && outage["addsUp"] == true, "{outage}");
    let text = outage.to_string();
    ensure!(!text.contains(SUPERVISOR.name), "no names: {text}");
    Ok(())
}
