//! `make bench`: measures the budgets and writes them to `target/bench/bench.json`.

use std::path::Path;

use anyhow::Result;
use clap::Parser;
use eventify_acceptance::{
    bench::{self, Machine, NOT_MEASURED, Report, Row},
    clock,
    world::claim::Claim,
};

/// Measures the budgets, each beside the machine's limit in the same run.
#[derive(Debug, Parser)]
struct Arguments {
    /// Measure only this row (repeatable). Default: all but `cache-size`, which takes minutes.
    #[arg(long, value_enum)]
    row: Vec<Row>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::select! {
            end = measure(&arguments.row) => end,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        }
    })
}

async fn measure(wanted: &[Row]) -> Result<()> {
    let begin = clock::instant();
    let folder = Path::new("target/bench");
    let claim = Claim::take(folder)?;
    let mut report = Report::printed(Machine::inspect(folder)?);
    let end = bench::run(Row::chosen(wanted), claim.clone(), &mut report).await;
    if wanted.is_empty() {
        for (_, what, why) in NOT_MEASURED {
            report.leave_out(what, why);
        }
    }
    report.end(begin.elapsed().as_secs_f64());
    // Keeps what was measured before a failure.
    std::fs::write(folder.join("bench.json"), report.to_json()?)?;
    end
}
