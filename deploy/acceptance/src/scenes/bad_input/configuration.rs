//! Mistakes in the settings: the program does not start, and says which key, which value, and what
//! would be allowed.

use anyhow::Result;

use super::stopped;
use crate::{scenes::Play, story::Story, world::process};

/// What both end with when a setting is wrong (`EX_CONFIG`).
const EXIT_CONFIG: i32 = 78;

pub(super) async fn stops_the_start(story: &mut Story, play: &Play) -> Result<()> {
    story.part("settings that can't be");
    of_the_core(story).await?;
    of_a_node(story, play).await
}

async fn of_the_core(story: &mut Story) -> Result<()> {
    let core = process::program("eventify-core")?;
    for (name, value, names) in [
        (
            "HTTP__MAX_BODY_BYTES",
            "12",
            &["http.max_body_bytes", "12", "1024 to 16777216"][..],
        ),
        (
            "BUS__PREFETCH",
            "many",
            &["bus.prefetch", "many", "integer"],
        ),
        ("HTTP__LISTNE", "127.0.0.1:0", &["http.listne", "listen"]),
        (
            "DATABASE__CONTEXTS__TICKETTING__URL",
            "postgres://db/tickets",
            &["database.contexts.ticketting", "ticketing"],
        ),
        (
            "DATABASE__URL",
            "mysql://root:secret@db/eventify",
            &["database.url", "mysql", "postgres://"],
        ),
        (
            "PROCESS__ROLES",
            "[\"dance\"]",
            &["process.roles", "dance", "allowed is one of"],
        ),
    ] {
        let variable = (format!("EVENTIFY_CORE__{name}"), value.to_owned());
        let ended = process::ending(&core, &["run"], &[variable]).await?;
        stopped(
            story,
            &format!("core, {name}={value}"),
            EXIT_CONFIG,
            names,
            &ended,
        );
        if ended.said.contains("secret") {
            story.expect("passwords in that", "none", "one");
        }
    }
    Ok(())
}

async fn of_a_node(story: &mut Story, play: &Play) -> Result<()> {
    let edge = process::program("eventify-edge")?;
    let file = play.world.folder.join("wrong.toml");
    for (text, names) in [
        (
            "[admission]\nmax_cache_age_ms = 600000\n",
            &["admission.max_cache_age_ms", "600000", "0 to 300000"][..],
        ),
        (
            "[lan]\nlisten = \"gate\"\n",
            &["lan.listen", "gate", "ADDRESS:PORT"],
        ),
        (
            "[lan]\nlisten_on = \"0.0.0.0:1\"\n",
            &["lan.listen_on", "lan.listen"],
        ),
        (
            "[journal]\nmax_bytes = \"much\"\n",
            &["journal.max_bytes", "much", "an integer from"],
        ),
        ("[admission\n", &["wrong.toml", "TOML", "line 1"]),
    ] {
        std::fs::write(&file, text)?;
        let path = file.display().to_string();
        let ended = process::ending(&edge, &["--config", &path, "run"], &[]).await?;
        let what = format!("edge, {}", text.trim().replace('\n', " "));
        stopped(story, &what, EXIT_CONFIG, names, &ended);
    }
    std::fs::remove_file(&file)?;
    Ok(())
}
