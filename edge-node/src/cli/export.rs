//! `eventify-edge export-journal`.

use std::{
    fs::OpenOptions,
    io::{BufWriter, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};

use crate::{config::Config, journal};

pub(super) fn export(
    config: &Config,
    out: Option<&Path>,
    may_replace: bool,
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let path = journal::path(&config.data_dir);
    let reader = journal::Reader::open(&path).with_context(|| path.display().to_string())?;
    let Some(out) = out else {
        journal::export(&reader, &mut BufWriter::new(output))?;
        return Ok(ExitCode::SUCCESS);
    };
    let is_own_name = out.extension().is_some_and(|it| it == "jsonl");
    if !is_own_name && is_in(out, &config.data_dir) {
        return Err(anyhow!(
            "{} may be a file of the node; in its data directory an export is named *.jsonl",
            out.display()
        ));
    }
    let file = OpenOptions::new()
        .write(true)
        .create(may_replace)
        .create_new(!may_replace)
        .truncate(may_replace)
        .mode(0o600)
        .open(out)
        .map_err(|error| {
            if error.kind() == ErrorKind::AlreadyExists {
                return anyhow!("the file exists; --force replaces it");
            }
            error.into()
        })
        .with_context(|| out.display().to_string())?;
    let mut file = BufWriter::new(file);
    let exported = journal::export(&reader, &mut file)?;
    file.into_inner()
        .map_err(std::io::IntoInnerError::into_error)?
        .sync_all()?;
    writeln!(output, "{exported}")?;
    Ok(ExitCode::SUCCESS)
}

/// Whether a file is or would be in a folder: `--force` would replace the journal itself.
fn is_in(file: &Path, folder: &Path) -> bool {
    let parent = file.parent().filter(|it| !it.as_os_str().is_empty());
    let real = |path: &Path| path.canonicalize().ok();
    let folder = real(folder);
    let target = real(file);
    let parents = [
        real(parent.unwrap_or(Path::new("."))),
        target.and_then(|target| Some(target.parent()?.to_owned())),
    ];
    folder.is_some() && parents.contains(&folder)
}
