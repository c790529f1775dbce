//! `eventify-edge export-journal`.

use std::{
    fs::OpenOptions,
    io::{BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;

use crate::{config::Config, journal};

pub(super) fn export(
    config: &Config,
    out: Option<&Path>,
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let path = journal::path(&config.data_dir);
    let reader = journal::Reader::open(&path).with_context(|| path.display().to_string())?;
    let Some(out) = out else {
        journal::export(&reader, &mut BufWriter::new(output))?;
        return Ok(ExitCode::SUCCESS);
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(out)
        .with_context(|| out.display().to_string())?;
    let mut file = BufWriter::new(file);
    let exported = journal::export(&reader, &mut file)?;
    file.into_inner()
        .map_err(std::io::IntoInnerError::into_error)?
        .sync_all()?;
    writeln!(
        output,
        "{} rows in {} chains, every hash checked",
        exported.rows, exported.chains
    )?;
    Ok(ExitCode::SUCCESS)
}
