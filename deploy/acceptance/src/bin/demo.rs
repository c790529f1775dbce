//! `make demo`: plays the story and writes its results to `target/demo/`.

use std::{io, path::Path, process::ExitCode};

use anyhow::{Result, anyhow};
use clap::Parser;
use eventify_acceptance::{scenes, story::Story, world::claim::Claim};
use tokio::signal::unix::{SignalKind, signal};

/// Plays an evening on real servers and processes: a sale, scans at two gates, an outage, recovery.
///
/// It takes about two minutes, prints each check with its result, and writes results and logs to
/// `target/demo/`. The exit code is 0 if all checks passed. There are no options.
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
    runtime.block_on(demo())
}

#[expect(
    clippy::print_stdout,
    reason = "it prints for its user, and scripts read the last line"
)]
async fn demo() -> Result<ExitCode> {
    let mut story = Story::printed();
    let claim = Claim::take(Path::new("target/demo"));
    let end = match &claim {
        Ok(claim) => run_scenes(&mut story, claim.clone()).await,
        Err(refused) => Err(anyhow!("{refused:#}")),
    };
    if let Err(error) = &end {
        story.expect("the demo runs", "to its end", format!("{error:#}"));
    }
    // Without a claim the folder belongs to another run.
    if let Ok(claim) = &claim {
        let folder = claim.folder();
        std::fs::write(folder.join("story.json"), story.to_json()?)?;
        let files = files(folder)?.join(", ");
        println!("\nresults in {}/: {files}", folder.display());
    }
    let (passed, failed) = story.tally();
    if let Some(load) = busy_with(failed)? {
        println!(
            "\nThe machine is busy (load {load}): nodes and core answer late then. Try again when it is \
                  calm."
        );
    }
    println!("\ndemo: {passed} checks passed, {failed} failed");
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The load of the last minute, if something has failed while others had work for all processors.
fn busy_with(failed: usize) -> io::Result<Option<String>> {
    let loads = std::fs::read_to_string("/proc/loadavg")?;
    let load = loads.split(' ').next().unwrap_or_default();
    let processors = std::thread::available_parallelism()?.get();
    let processors = u32::try_from(processors).unwrap_or(u32::MAX);
    let is_busy = load
        .parse()
        .is_ok_and(|load: f64| load > 2.0 * f64::from(processors));
    Ok((failed > 0 && is_busy).then(|| load.to_owned()))
}

async fn run_scenes(story: &mut Story, claim: Claim) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        end = scenes::run(story, claim) => end,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow!("terminated")),
    }
}

/// Names of the files in a folder, the story first.
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
