//! `make up` as somebody uses it who tries the product for a day: the variables that it writes, and `token`.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use chrono::{DateTime, TimeDelta, Utc};
use eventify_acceptance::{api::Api, clock};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// Fails a test that would wait for ever.
const LIMIT: Duration = Duration::from_secs(240);

/// Variable and role.
const PEOPLE: [(&str, &str); 9] = [
    ("CUSTOMER", "CUSTOMER"),
    ("ORGANISER", "ORGANIZER"),
    ("ADMIN", "ADMIN"),
    ("VENUE_IT", "VENUE_IT"),
    ("BOX_OFFICE", "BOX_OFFICE"),
    ("CHECKIN", "CHECKIN"),
    ("STEWARD", "STEWARD"),
    ("SUPERVISOR", "SUPERVISOR"),
    ("SUPPORT", "SUPPORT"),
];

/// Who comes back in the evening goes on with what was started in the morning.
const A_DAY: TimeDelta = TimeDelta::hours(20);

#[tokio::test(flavor = "multi_thread")]
async fn its_variables_serve_each_role_for_a_day() {
    crate::install_tls();
    let _alone = crate::ONE_WORLD.lock().await;
    let place = tempfile::tempdir().expect("a folder");
    let mut up = start(place.path()).expect("it starts");
    let tried = timeout(LIMIT, use_it(&mut up, place.path())).await;
    let is_over = up.try_wait().expect("a process");
    if is_over.is_none() {
        up.kill().await.expect("it ends");
    }
    tried.expect("it is up in time").expect("it serves");
}

fn start(place: &Path) -> Result<Child> {
    let up = Command::new(env!("CARGO_BIN_EXE_up"))
        .current_dir(place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    Ok(up)
}

async fn use_it(up: &mut Child, place: &Path) -> Result<()> {
    let mut lines = BufReader::new(up.stdout.take().context("its output")?).lines();
    loop {
        let line = lines.next_line().await?.context("it ended")?;
        if line.starts_with("Ctrl-C") {
            break;
        }
    }
    let until = clock::now() + A_DAY;
    for (name, role) in PEOPLE {
        let token = shell(place, &format!("echo \"${name}\"")).await?;
        lasts_and_has(&token, role, until).with_context(|| format!("${name}"))?;
    }
    let made = shell(place, "token somebody-new SUPPORT").await?;
    lasts_and_has(&made, "SUPPORT", until)?;

    let core = Api::new(&shell(place, "echo $CORE").await?)?;
    let _me: Value = core.signed_in(made).get("/me").await?;
    let event = shell(place, "echo $EVENT").await?;
    let event: Value = core.get(&format!("/catalog/events/{event}")).await?;
    // Without a time of its own the sale closes at the start.
    let begins = &event["performances"][0]["startTime"];
    let begins: DateTime<Utc> = serde_json::from_value(begins.clone())
        .with_context(|| format!("when it begins: {event}"))?;
    ensure!(begins > until, "it begins at {begins}");

    let mut commands = up.stdin.take().context("its input")?;
    commands.write_all(b"quit\n").await?;
    while lines.next_line().await?.is_some() {}
    let end = up.wait().await?;
    ensure!(end.success(), "{end}");
    Ok(())
}

/// What a shell prints that has read the variables.
async fn shell(place: &Path, command: &str) -> Result<String> {
    let script = format!(". target/up/env && {command}");
    let mut bash = Command::new("bash");
    let output = bash
        .args(["-c", &script])
        .current_dir(place)
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn lasts_and_has(token: &str, role: &str, until: DateTime<Utc>) -> Result<()> {
    let claims = token.split('.').nth(1).context("no token")?;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims)?;
    let claims: Value = serde_json::from_slice(&claims)?;
    let ends = claims["exp"].as_i64().context("no end")?;
    ensure!(ends > until.timestamp(), "it ends at {ends}");
    let roles = &claims["realm_access"]["roles"];
    let has = roles
        .as_array()
        .is_some_and(|it| it.iter().any(|it| it == role));
    ensure!(has, "it has the roles {roles}, not {role}");
    Ok(())
}
