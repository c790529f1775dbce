//! `make up`: servers, a core and two edge nodes for use by hand.

use std::{
    fmt::Write as _, fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _,
    path::Path, process::ExitCode,
};

use anyhow::Result;
use chrono::TimeDelta;
use clap::Parser;
use eventify_acceptance::{
    clock,
    prompt::{End, HELP, Prompt, print},
    world::{Gate, World, claim::Claim, fixture::Fixture, venue_it::VenueIt},
};
use eventify_log::ReaderGone;
use eventify_protocol::time::MAX_CACHE_AGE;
use eventify_stack::Stack;

/// A user who gets a token: shell variable, name, role, scopes.
type Person = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// The organiser and the administrator are those who made the fixture, so that they own it.
const PEOPLE: [Person; 9] = [
    (
        "CUSTOMER",
        "customer",
        "CUSTOMER",
        &["reservation:write", "order:write"],
    ),
    ("ORGANISER", "organiser-1", "ORGANIZER", &["payment:refund"]),
    ("ADMIN", "admin-1", "ADMIN", &[]),
    ("VENUE_IT", VENUE_IT, "VENUE_IT", &[]),
    (
        "BOX_OFFICE",
        BOX_OFFICE,
        "BOX_OFFICE",
        &["reservation:write", "order:write"],
    ),
    ("CHECKIN", "turnstile-1", "CHECKIN", &["ticket:checkin"]),
    ("STEWARD", "steward-1", "STEWARD", &["ticket:checkin"]),
    (
        "SUPERVISOR",
        "supervisor-1",
        "SUPERVISOR",
        &["ticket:checkin"],
    ),
    ("SUPPORT", "support-1", "SUPPORT", &[]),
];

/// At the end of `target/up/env`.
const GET_A_TOKEN: &str = r#"
# token NAME ROLE [SCOPE ...]: an access token of whoever you like, for a day. Roles: CUSTOMER, ORGANIZER, ADMIN,
# VENUE_IT, BOX_OFFICE, CHECKIN, STEWARD, SUPERVISOR, SUPPORT. Scopes are those of `eventify-core routes`.
token() {
    local name=$1 role=$2; shift 2
    curl -sS -u "$OIDC_CLIENT" "$ISSUER/token" -d grant_type=urn:eventify:development:user \
        -d sub="$name" -d scope="$*" -d lifetime=90000 --data-urlencode \
        'user_claims={"realm_access":{"roles":["'$role'"]},"preferred_username":"'$name'"}' |
        jq -r .access_token
}
"#;

/// Who works at the gates: name at the identity provider, name among colleagues, role.
const STAFF: [(&str, &str, &str); 3] = [
    ("steward-1", "Steward 1", "STEWARD"),
    ("supervisor-1", "Supervisor 1", "SUPERVISOR"),
    (BOX_OFFICE, "Box office 1", "BOX_OFFICE"),
];

/// Manages the venue's nodes; the administrator gives that right.
const VENUE_IT: &str = "venue-it";
/// Sells at the door; the organiser gives that right.
const BOX_OFFICE: &str = "box-office-1";

/// Starts servers, the core and two edge nodes for use by hand, until `quit` or Ctrl-C.
///
/// It prints all addresses, writes addresses, ids and access tokens to `target/up/env`, and accepts
/// commands: buy, scan, cut a link. There are no options.
#[derive(Debug, Parser)]
#[command(name = "up")]
struct Arguments {}

#[expect(
    clippy::print_stderr,
    reason = "a command line tool prints for its user"
)]
fn main() -> ExitCode {
    let Arguments {} = Arguments::parse();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // `make up | head -1` has seen what it wanted.
        Err(error) if error.downcast_ref().is_some_and(ReaderGone::is) => ExitCode::SUCCESS,
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

async fn up() -> Result<()> {
    let claim = Claim::take(Path::new("target/up"))?;
    print("Starting servers, the core and two edge nodes (about a minute) …")?;
    let world = World::start(claim).await?;
    let fixture = world.fixture_for_a_day().await?;
    // Its customers may still give their tickets back.
    let later = clock::now() + TimeDelta::weeks(2);
    let organiser = world.organiser().await?;
    let later = fixture.another_performance(&organiser, later).await?;
    let venue_it = world.venue_it(&fixture).await?;
    venue_it
        .allow_degraded(u64::try_from(MAX_CACHE_AGE.as_millis())?)
        .await?;
    let operator = world.signed_in(VENUE_IT, &["VENUE_IT"], &[]).await?;
    venue_it.add_operator(&operator).await?;
    add_staff(&world, &venue_it, [&fixture, &later]).await?;
    let gates = [
        world.gate(&fixture, 1, "North gate", MAX_CACHE_AGE).await?,
        world.gate(&fixture, 2, "South gate", MAX_CACHE_AGE).await?,
    ];
    for show in [&fixture, &later] {
        show.wait_until_on_sale(&world.core.api).await?;
    }
    print(&format!("\n{}\n", Stack::shared().await?.addresses()))?;
    print(&format!("core                         {}", world.core.url))?;
    print(&format!(
        "  its database               {}",
        world.database_url()
    ))?;
    print(&format!(
        "performance on sale          {}",
        fixture.performance
    ))?;
    print(&format!(
        "  another, in two weeks      {}",
        later.performance
    ))?;
    for gate in &gates {
        let (label, address, config) = (&gate.edge.label, gate.scanner.base(), gate.edge.config());
        print(&format!("{label:<28} {address} ({})", gate.name))?;
        print(&format!(
            "  its settings               {}",
            config.display()
        ))?;
        let code = gate.edge.pairing_code().await?;
        print(&format!("  a code for a scanner       {code}"))?;
    }
    let staff: Vec<_> = STAFF.iter().map(|(subject, ..)| *subject).collect();
    print(&format!(
        "staff                        {}",
        staff.join(", ")
    ))?;
    let file = world.folder.join("env");
    private_file(&file, &variables(&world, [&fixture, &later], &gates).await?)?;
    print(&format!(
        "\nAddresses, ids, and an access token of each role (valid for a day) are in {file}:\n\n  . {file}\n  curl -H \"Authorization: Bearer $CUSTOMER\" \
         $CORE/me\n\nCommands:\n{HELP}\n\nCtrl-C also stops everything.",
        file = file.display()
    ))?;
    let mut prompt = Prompt::new(world, fixture, venue_it, gates);
    match prompt.run().await {
        End::Quit => Ok(()),
        // It stays up without commands.
        End::NoInput => std::future::pending().await,
    }
}

/// Who works at the gates, and who sells at the door.
async fn add_staff(world: &World, venue_it: &VenueIt, shows: [&Fixture; 2]) -> Result<()> {
    for (subject, name, role) in STAFF {
        let account = (world.scope.oidc.issuer.as_str(), subject);
        venue_it.add_staff(account, name, &[role]).await?;
    }
    let desk = world.signed_in(BOX_OFFICE, &["BOX_OFFICE"], &[]).await?;
    let organiser = world.organiser().await?;
    for show in shows {
        show.assign(&organiser, &desk).await?;
    }
    Ok(())
}

/// The shell variables of `target/up/env`.
async fn variables(
    world: &World,
    [fixture, later]: [&Fixture; 2],
    gates: &[Gate],
) -> Result<String> {
    let stripe = &world.scope.stripe;
    let mut variables = String::new();
    for (variable, value) in [
        ("CORE", &world.core.url),
        ("STRIPE", &stripe.base_url),
        ("STRIPE_KEY", &stripe.secret_key),
        ("VENUE", &fixture.venue),
        ("EVENT", &fixture.event),
        ("PERFORMANCE", &fixture.performance),
        ("LATER", &later.performance),
        ("LATER_EVENT", &later.event),
        ("ISSUER", &world.scope.oidc.issuer),
        ("OIDC_CLIENT", &oidc_client(world)),
    ] {
        writeln!(variables, "{variable}={value}")?;
    }
    for (number, gate) in (1..).zip(gates) {
        writeln!(variables, "GATE_{number}={}", gate.id)?;
        let node = gate.edge.status().await?.node_id;
        writeln!(variables, "NODE_{number}={node}")?;
        writeln!(variables, "EDGE_{number}={}", gate.edge.config().display())?;
    }
    for (variable, name, role, scopes) in PEOPLE {
        let token = world.token(name, &[role], scopes).await?;
        writeln!(variables, "{variable}={token}")?;
    }
    Ok(variables + GET_A_TOKEN)
}

/// Name and secret of the core's client at the identity provider.
fn oidc_client(world: &World) -> String {
    let oidc = &world.scope.oidc;
    format!("{}:{}", oidc.client_id, oidc.client_secret)
}

/// Only this user may read it, because it has access tokens.
fn private_file(path: &Path, text: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())?;
    Ok(())
}
