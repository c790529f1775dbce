//! `make demo`: tells the story and leaves its evidence in `target/demo/`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use eventify_acceptance::{scenes, story::Story};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> Result<ExitCode> {
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
    let folder = PathBuf::from("target/demo");
    let mut story = Story::told();
    let mut terminate = signal(SignalKind::terminate())?;
    let end = tokio::select! {
        end = scenes::play(&mut story, folder.clone()) => end,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
    };
    if let Err(error) = &end {
        story.expect("the story goes on", "to its end", format!("{error:#}"));
    }
    if folder.exists() {
        std::fs::write(folder.join("story.json"), story.to_json()?)?;
    }
    let (passed, failed) = story.tally();
    println!("\ndemo: {passed} checks passed, {failed} failed");
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
