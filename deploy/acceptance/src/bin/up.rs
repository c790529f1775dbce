//! `make up`: servers, core and two edge nodes for hand use, until Ctrl-C.

use std::{
    fmt::Write as _, fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _,
    path::Path, process::ExitCode,
};

use anyhow::Result;
use clap::Parser;
use eventify_acceptance::{
    prompt::{End, HELP, Prompt},
    world::{Gate, World, claim::Claim, stage::Stage},
};
use eventify_protocol::time::MAX_CACHE_AGE;
use eventify_stack::Stack;

/// Somebody whom a token is printed for: shell variable, name, role, scopes.
type Person = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// The organiser and the administrator are those who set the stage up, so that it is theirs.
const PEOPLE: [Person; 4] = [
    (
        "CUSTOMER",
        "customer",
        "CUSTOMER",
        &["reservation:write", "order:write"],
    ),
    ("ORGANISER", "organiser-1", "ORGANIZER", &["payment:refund"]),
    ("ADMIN", "admin-1", "ADMIN", &[]),
    ("VENUE_IT", VENUE_IT, "VENUE_IT", &[]),
];

/// Runs the venue's nodes: the administrator appoints them.
const VENUE_IT: &str = "venue-it";

/// Starts servers, the core and two edge nodes for hand use, until `quit` or Ctrl-C.
///
/// It prints where everything is, writes addresses, ids and access tokens into `target/up/env`, and
/// takes commands: buy, scan, cut a line, look. It takes no arguments.
#[derive(Debug, Parser)]
#[command(name = "up")]
struct Arguments {}

#[expect(clippy::print_stderr, reason = "a command line tool talks to its user")]
fn main() -> ExitCode {
    let Arguments {} = Arguments::parse();
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
    let claim = Claim::take(Path::new("target/up"))?;
    println!("starting servers, the core and two edge nodes …");
    let world = World::start(claim).await?;
    let stage = world.stage().await?;
    let office = world.office(&stage).await?;
    office
        .allow_degraded(u64::try_from(MAX_CACHE_AGE.as_millis())?)
        .await?;
    let venue_it = world.signed_in(VENUE_IT, &["VENUE_IT"], &[]).await?;
    office.appoint(&venue_it).await?;
    let gates = [
        world.gate(&stage, 1, "North gate", MAX_CACHE_AGE).await?,
        world.gate(&stage, 2, "South gate", MAX_CACHE_AGE).await?,
    ];
    stage.on_sale(&world.core.api).await?;
    println!("\n{}\n", Stack::shared().await?.addresses());
    println!("core                         {}", world.core.url);
    println!("  its database               {}", world.database_url());
    println!("performance on sale          {}", stage.performance);
    for gate in &gates {
        let (label, address, config) = (&gate.edge.label, gate.scanner.base(), gate.edge.config());
        println!("{label:<28} {address} ({})", gate.name);
        println!("  its settings               {}", config.display());
        let code = gate.edge.pairing_code().await?;
        println!("  a code for a scanner       {code}");
    }
    let file = world.folder.join("env");
    private_file(&file, &variables(&world, &stage, &gates).await?)?;
    println!(
        "\nAddresses, ids, and access tokens of a customer, an organiser, an administrator and venue IT\n\
         (good for an hour) are in {file}:\n\n  . {file}\n  curl -H \"Authorization: Bearer $CUSTOMER\" \
         $CORE/me\n\nHere you can type:\n{HELP}\n\nCtrl-C stops everything too.",
        file = file.display()
    );
    let mut prompt = Prompt::new(world, stage, office, gates);
    match prompt.listen().await {
        End::Quit => Ok(()),
        // It stays up all the same.
        End::NobodyTypes => std::future::pending().await,
    }
}

/// What a shell needs to talk to all of it.
async fn variables(world: &World, stage: &Stage, gates: &[Gate]) -> Result<String> {
    let stripe = &world.scope.stripe;
    let mut variables = String::new();
    for (variable, value) in [
        ("CORE", &world.core.url),
        ("STRIPE", &stripe.base_url),
        ("STRIPE_KEY", &stripe.secret_key),
        ("VENUE", &stage.venue),
        ("EVENT", &stage.event),
        ("PERFORMANCE", &stage.performance),
    ] {
        writeln!(variables, "{variable}={value}")?;
    }
    for (number, gate) in (1..).zip(gates) {
        writeln!(variables, "GATE_{number}={}", gate.id)?;
        writeln!(variables, "EDGE_{number}={}", gate.edge.config().display())?;
    }
    for (variable, name, role, scopes) in PEOPLE {
        let token = world.token(name, &[role], scopes).await?;
        writeln!(variables, "{variable}={token}")?;
    }
    Ok(variables)
}

/// Tokens are for whoever started this, and nobody else on the machine.
fn private_file(path: &Path, text: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())?;
    Ok(())
}
