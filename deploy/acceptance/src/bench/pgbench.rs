//! The database server's limit for the two rows of a check-in: PostgreSQL's own benchmark on the same
//! server, in the same run.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use sqlx::{Executor as _, PgConnection};

use crate::world::process;

/// Debian's folder with the programs of each major version.
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";
/// Number of rows: as many as the product's own table has.
const TICKETS: u32 = 100_000;

/// Tables like the product's, with the same keys, in another schema.
const TABLES: &str = "
    create schema bench;
    create table bench.tickets (
        ticket_id int primary key,
        status text not null,
        version int not null,
        token text not null,
        updated_at timestamptz not null
    ) with (fillfactor = 80);
    create table bench.checkins (
        checkin_id uuid primary key,
        ticket_id int not null references bench.tickets,
        passage int not null,
        scan_id uuid not null,
        gate_id uuid not null,
        at bigint not null,
        evidence text not null,
        unique (ticket_id, passage)
    );";

/// Locks and updates the ticket, and inserts its check-in.
const TRANSACTION: &str = "\\set id random(1, :tickets)
begin;
update bench.tickets set status = 'used', version = version + 1, updated_at = now()
    where ticket_id = :id returning version \\gset
insert into bench.checkins values (gen_random_uuid(), :id, :version, gen_random_uuid(),
    gen_random_uuid(), 0, 'api');
commit;
";

pub(super) async fn prepare(db: &mut PgConnection) -> Result<()> {
    db.execute(TABLES).await?;
    sqlx::query(
        "insert into bench.tickets select id, 'valid', 1, repeat('x', 220), now()
         from generate_series(1, $1) as id",
    )
    .bind(i32::try_from(TICKETS)?)
    .execute(&mut *db)
    .await?;
    db.execute("vacuum analyze bench.tickets").await?;
    Ok(())
}

/// Transactions a second with this number of clients.
pub(super) async fn measure(
    url: &str,
    folder: &Path,
    clients: usize,
    duration: Duration,
) -> Result<f64> {
    let script = folder.join("two-rows.pgbench");
    std::fs::write(&script, TRANSACTION)?;
    let script = script.display().to_string();
    let (clients, seconds) = (clients.to_string(), duration.as_secs().to_string());
    let tickets = format!("tickets={TICKETS}");
    let arguments = [
        "--no-vacuum",
        "--protocol=prepared",
        "--jobs=2",
        "--client",
        &clients,
        "--time",
        &seconds,
        "--define",
        &tickets,
        "--file",
        &script,
        url,
    ];
    let output = process::run(&program()?, &arguments, &[]).await?;
    transactions_per_second(&output).with_context(|| format!("output of pgbench: {output}"))
}

/// Of the newest version.
fn program() -> Result<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN_ROOT)?.flatten();
    let programs = versions.map(|version| version.path().join("bin/pgbench"));
    programs
        .filter(|program| program.exists())
        .max()
        .context("pgbench is missing; `make deps` installs it with the Debian package `postgresql`")
}

/// From pgbench's report.
fn transactions_per_second(report: &str) -> Option<f64> {
    report.lines().find_map(|line| {
        let figure = line.strip_prefix("tps = ")?;
        figure.split_whitespace().next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_found_in_the_report() {
        let report = "pgbench (15.14 (Debian 15.14-0+deb12u1))\n\
            transaction type: two-rows.pgbench\nscaling factor: 1\nquery mode: prepared\n\
            number of clients: 8\nnumber of threads: 2\nmaximum number of tries: 1\n\
            duration: 8 s\nnumber of transactions actually processed: 16213\n\
            number of failed transactions: 0 (0.000%)\nlatency average = 3.947 ms\n\
            initial connection time = 11.024 ms\n\
            tps = 2026.900642 (without initial connection time)\n";
        assert_eq!(transactions_per_second(report), Some(2_026.900_642));
        assert_eq!(transactions_per_second("tps = \n"), None);
        assert_eq!(
            transactions_per_second("pgbench: error: connection\n"),
            None
        );
    }
}
