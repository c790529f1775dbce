//! `make demo`: tells the story and leaves its evidence in `target/demo/`.

use std::{io, path::Path, process::ExitCode};

use anyhow::{Result, anyhow};
use clap::Parser;
use eventify_acceptance::{scenes, story::Story, world::claim::Claim};
use tokio::signal::unix::{SignalKind, signal};

/// Plays an evening on real servers and processes: a sale, scans at two gates, an outage, its end.
///
/// It prints each check with what was expected and what was seen, leaves the evidence in
/// `target/demo/` and ends well if no check failed. It takes some minutes and no arguments.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Arguments {}

fn main() -> Result<ExitCode> {
    let Arguments {} = Arguments::parse();
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(tell())
}

#[expect(
    clippy::print_stdout,
    reason = "the last line is what scripts look for"
)]
async fn tell() -> Result<ExitCode> {
    let mut story = Story::told();
    let claim = Claim::take(Path::new("target/demo"));
    let end = match &claim {
        Ok(claim) => play(&mut story, claim.clone()).await,
        Err(refused) => Err(anyhow!("{refused:#}")),
    };
    if let Err(error) = &end {
        story.expect("the story goes on", "to its end", format!("{error:#}"));
    }
    // Without a claim what lies there is another run's.
    if let Ok(claim) = &claim {
        let folder = claim.folder();
        std::fs::write(folder.join("story.json"), story.to_json()?)?;
        let left = files(folder)?.join(", ");
        println!("\nevidence: {}/: {left}", folder.display());
    }
    let (passed, failed) = story.tally();
    println!("\ndemo: {passed} checks passed, {failed} failed");
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn play(story: &mut Story, claim: Claim) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        end = scenes::play(story, claim) => end,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow!("terminated")),
    }
}

/// Names of the files that lie in a folder, the story first.
fn files(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_by_key(|name| (name != "story.json", name.clone()));
    Ok(names)
}
