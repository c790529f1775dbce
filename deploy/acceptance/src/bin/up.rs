//! `make up`: servers, core and two edge nodes for hand use, until Ctrl-C.

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use eventify_acceptance::world::World;
use eventify_protocol::time::MAX_CACHE_AGE;
use eventify_stack::Stack;

fn main() -> Result<()> {
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
    let world = World::start(PathBuf::from("target/up")).await?;
    let stage = world.stage().await?;
    world
        .office(&stage)
        .await?
        .allow_degraded(u64::try_from(MAX_CACHE_AGE.as_millis())?)
        .await?;
    let gates = [
        world.gate(&stage, 1, "North gate", MAX_CACHE_AGE).await?,
        world.gate(&stage, 2, "South gate", MAX_CACHE_AGE).await?,
    ];
    println!("\n{}\n", Stack::shared().await?.addresses());
    println!("core                         {}", world.core.url);
    println!("performance on sale          {}", stage.performance);
    for gate in &gates {
        println!(
            "{:<28} {} ({})",
            gate.edge.label,
            gate.scanner.base(),
            gate.name
        );
        println!(
            "  its settings               {}",
            gate.edge.config().display()
        );
        println!(
            "  a code for a scanner       {}",
            gate.edge.pairing_code().await?
        );
    }
    println!("\naccess tokens, good for an hour:");
    for (name, role, scopes) in [
        (
            "customer",
            "CUSTOMER",
            &["reservation:write", "order:write"][..],
        ),
        ("organiser", "ORGANIZER", &["payment:refund"][..]),
        ("administrator", "ADMIN", &[][..]),
        ("venue IT", "VENUE_IT", &[][..]),
    ] {
        println!("{name}\n  {}", world.token(name, &[role], scopes).await?);
    }
    println!("\nCtrl-C stops everything.");
    loop {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}
