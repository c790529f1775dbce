//! `make up`: servers, core and two edge nodes for hand use, until Ctrl-C.

use std::{
    fmt::Write as _,
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use eventify_acceptance::{
    prompt::{HELP, Prompt},
    world::World,
};
use eventify_protocol::time::MAX_CACHE_AGE;
use eventify_stack::Stack;

/// Whom tokens are printed for: shell variable, role, scopes.
const PEOPLE: [(&str, &str, &[&str]); 4] = [
    (
        "CUSTOMER",
        "CUSTOMER",
        &["reservation:write", "order:write"],
    ),
    ("ORGANISER", "ORGANIZER", &["payment:refund"]),
    ("ADMIN", "ADMIN", &[]),
    ("VENUE_IT", "VENUE_IT", &[]),
];

#[expect(clippy::print_stderr, reason = "a command line tool talks to its user")]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("up: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::select! {
            end = up() => end,
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })
}

#[expect(
    clippy::print_stdout,
    reason = "addresses and logins are what it is started for"
)]
async fn up() -> Result<()> {
    println!("starting servers, the core and two edge nodes …");
    let folder = PathBuf::from("target/up");
    let world = World::start(folder.clone()).await?;
    let stage = world.stage().await?;
    let office = world.office(&stage).await?;
    office
        .allow_degraded(u64::try_from(MAX_CACHE_AGE.as_millis())?)
        .await?;
    let gates = [
        world.gate(&stage, 1, "North gate", MAX_CACHE_AGE).await?,
        world.gate(&stage, 2, "South gate", MAX_CACHE_AGE).await?,
    ];
    stage.on_sale(&world.core.api).await?;
    println!("\n{}\n", Stack::shared().await?.addresses());
    println!("core                         {}", world.core.url);
    println!("  its database               {}", world.database_url());
    println!("performance on sale          {}", stage.performance);
    let mut variables = format!(
        "CORE={}\nPERFORMANCE={}\n",
        world.core.url, stage.performance
    );
    for (number, gate) in (1..).zip(&gates) {
        let (label, address, config) = (&gate.edge.label, gate.scanner.base(), gate.edge.config());
        println!("{label:<28} {address} ({})", gate.name);
        println!("  its settings               {}", config.display());
        let code = gate.edge.pairing_code().await?;
        println!("  a code for a scanner       {code}");
        writeln!(variables, "EDGE_{number}={}", config.display())?;
    }
    for (variable, role, scopes) in PEOPLE {
        let name = variable.to_lowercase().replace('_', "-");
        let token = world.token(&name, &[role], scopes).await?;
        writeln!(variables, "{variable}={token}")?;
    }
    let file = folder.join("env");
    private_file(&file, &variables)?;
    println!(
        "\nAddresses, and access tokens of a customer, an organiser, an administrator and venue IT\n\
         (good for an hour) are in {file}:\n\n  . {file}\n  curl -H \"Authorization: Bearer $CUSTOMER\" \
         $CORE/me\n\nHere you can type:\n{HELP}\n\nCtrl-C stops everything.",
        file = file.display()
    );
    let mut prompt = Prompt::new(world, stage, office, gates);
    prompt.listen().await;
    // Nobody types: it stays up all the same.
    std::future::pending().await
}

/// Tokens are for whoever started this, and nobody else on the machine.
fn private_file(path: &Path, text: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())?;
    Ok(())
}
