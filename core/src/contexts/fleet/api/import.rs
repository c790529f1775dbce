//! An exported journal (`eventify-edge export-journal`) brought in by hand: of a node that will never
//! speak again, or for a core that has lost what a node still has (ADMISSION 4.4).
//!
//! The rows go the way of those that the node sends: the same locks, the same chain, the same
//! evidence. Who imports vouches for nothing; a row counts because the chain that is held leads to it.

use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{IncarnationId, NodeId};
use eventify_protocol::sync::{JournalBatch, JournalRow, SealedRow};
use serde::Deserialize;

use super::{FleetError, journal as acts, nodes};
use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::store::journal;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;

/// Rows that are taken at once.
const MAX_ROWS: usize = 256;

/// One line of the export.
#[derive(Deserialize)]
struct Line {
    hash: Hash32,
    #[serde(flatten)]
    row: JournalRow,
}

/// Takes the rows of an export, or of a part of one, in their order; answers how many there were.
/// Rows that are held already change nothing.
pub(crate) async fn import(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    node: NodeId,
    lines: &str,
) -> Result<usize, FleetError> {
    let rows = read(lines)?;
    let mut conn = app.db.read(NAME).await?;
    nodes::own(&mut conn, principal, node).await?;
    drop(conn);
    for part in parts(&rows) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else {
            continue;
        };
        let (from, incarnation) = (first.row().seq, first.row().incarnation);
        let batch = JournalBatch {
            incarnation,
            from,
            rows: part.iter().map(|row| row.bytes().to_vec().into()).collect(),
        };
        acts::take(app, cause, node, &batch).await?;
        let mut conn = app.db.read(NAME).await?;
        let held = journal::hash_at(&mut conn, node, incarnation, last.row().seq).await?;
        if held != Some(last.hash()) {
            return Err(FleetError::NotJoined(incarnation, from));
        }
    }
    Ok(rows.len())
}

fn read(lines: &str) -> Result<Vec<SealedRow>, FleetError> {
    let lines = lines.lines().enumerate();
    let lines = lines.filter(|(_, text)| !text.trim().is_empty());
    let rows = lines.map(|(index, text)| {
        let wrong = |why: &str| FleetError::Invalid("body", format!("line {}: {why}", index + 1));
        let Line { hash, row } =
            serde_json::from_str(text).map_err(|_| wrong("a row as export-journal writes it"))?;
        let sealed = SealedRow::seal(row);
        if sealed.hash() == hash {
            Ok(sealed)
        } else {
            Err(wrong("the row that its hash is of"))
        }
    });
    rows.collect()
}

/// File by file, without gaps, so many rows at once.
fn parts(rows: &[SealedRow]) -> impl Iterator<Item = &[SealedRow]> {
    rows.chunk_by(|a, b| {
        let place =
            |row: &SealedRow| -> (IncarnationId, u64) { (row.row().incarnation, row.row().seq) };
        let (file, seq) = place(a);
        (file, seq + 1) == place(b)
    })
    .flat_map(|run| run.chunks(MAX_ROWS))
}
