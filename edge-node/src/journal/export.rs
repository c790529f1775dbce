//! The journal as JSON lines, its chain checked: as an administrator's evidence, and for a core that
//! lost rows which a node still has (`ADMISSION` 4.4).

use std::{
    fmt,
    io::{self, Write},
};

use eventify_protocol::{
    hash::Hash32,
    sync::{JournalHead, JournalRow},
};
use serde::Serialize;

use super::{Chain, JournalError, Reader};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    pub chains: u64,
    pub rows: u64,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, chains } = self;
        let row = if *rows == 1 { "row" } else { "rows" };
        let chain = if *chains == 1 { "chain" } else { "chains" };
        write!(f, "{rows} {row} in {chains} {chain}, every hash checked")
    }
}

/// Why an export ended early. What was written until then is correct.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("writing the export: {0}")]
    Output(#[from] io::Error),
    /// A row was changed, or one is missing before it.
    #[error(
        "the chain of incarnation {} breaks after row {}: keep the file, it is evidence, and contact \
         support", .0.incarnation, .0.seq
    )]
    Broken(JournalHead),
}

#[derive(Serialize)]
struct ExportedRow<'a> {
    hash: Hash32,
    #[serde(flatten)]
    row: &'a JournalRow,
}

/// Writes every row of every chain, oldest first, each with its hash.
///
/// # Errors
/// See [`ExportError`].
pub fn export(reader: &Reader, output: &mut impl Write) -> Result<Exported, ExportError> {
    let mut exported = Exported::default();
    for chain in reader.chains()? {
        exported.chains += 1;
        exported.rows += export_chain(reader, &chain, output)?;
    }
    output.flush()?;
    Ok(exported)
}

fn export_chain(
    reader: &Reader,
    chain: &Chain,
    output: &mut impl Write,
) -> Result<u64, ExportError> {
    let mut head = chain.base;
    let mut rows = 0;
    reader.for_each_after(chain, chain.base.seq, |stored, sealed| {
        if stored != sealed.hash() || !head.is_followed_by(sealed.row()) {
            return Err(ExportError::Broken(head));
        }
        head = sealed.head();
        rows += 1;
        serde_json::to_writer(
            &mut *output,
            &ExportedRow {
                hash: stored,
                row: sealed.row(),
            },
        )
        .map_err(io::Error::from)?;
        Ok(output.write_all(b"\n")?)
    })?;
    Ok(rows)
}
