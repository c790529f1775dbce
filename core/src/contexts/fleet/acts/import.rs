//! An exported journal (`eventify-edge export-journal`) imported by hand: of a node that will never
//! connect again, or for a core that has lost rows which a node still has (ADMISSION 4.4).
//!
//! The rows go the same way as those that the node sends: the same locks, the same chain, the same
//! evidence. The import itself proves nothing; a row counts because the stored chain leads to it.

use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{IncarnationId, NodeId};
use eventify_protocol::sync::{JournalBatch, JournalRow, SealedRow};
use eventify_sync::edge::carry_over;
use serde::Deserialize;
use uuid::Builder;

use super::{FleetError, journal, nodes};
use crate::contexts::fleet::store::{journal_rows, journals, sessions};
use crate::contexts::fleet::{App, NAME};

/// Rows of one batch.
const MAX_ROWS: usize = 256;

/// One line of the export.
#[derive(Deserialize)]
struct Line {
    hash: Hash32,
    #[serde(flatten)]
    row: JournalRow,
}

/// Stores the rows of an export, or of a part of one, in their order, and returns how many there
/// were. Rows that are stored already change nothing.
pub(crate) async fn import(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    node: NodeId,
    lines: &str,
) -> Result<usize, FleetError> {
    let rows = parse(lines)?;
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
        journal::receive(app, cause, node, &batch).await?;
        let mut conn = app.db.read(NAME).await?;
        let stored = journal_rows::hash_at(&mut conn, node, incarnation, last.row().seq).await?;
        drop(conn);
        if stored != Some(last.hash()) {
            let of_file = |row: &&SealedRow| row.row().incarnation == incarnation;
            let file: Vec<_> = rows.iter().filter(of_file).cloned().collect();
            let mut conn = app.db.read(NAME).await?;
            let was_copied = sessions::has_duplicate(&mut conn, node).await?;
            drop(conn);
            if !was_copied || file.first().is_none_or(|first| first.row().seq != 1) {
                return Err(FleetError::NotJoined(incarnation, from));
            }
            import_beside(app, cause, node, &file).await?;
            break;
        }
    }
    Ok(rows.len())
}

/// A file whose rows are not those that are stored: of a copy of the node's disk, which went on beside
/// it. They become a file of their own behind the stored one, as a node makes it after a fork; each
/// scan counts once. The node that runs finds another file than its own and begins a new one.
async fn import_beside(
    app: &App,
    cause: &Cause,
    node: NodeId,
    file: &[SealedRow],
) -> Result<(), FleetError> {
    let (Some(first), Some(last)) = (file.first(), file.last()) else {
        return Ok(());
    };
    // The same import again makes the same file.
    let Hash32(hash) = last.hash();
    let (id, _) = hash.split_at(16);
    let id =
        IncarnationId(Builder::from_custom_bytes(id.try_into().unwrap_or_default()).into_uuid());
    let mut conn = app.db.read(NAME).await?;
    let is_there = journals::exists(&mut conn, node, id).await?;
    let stored = journals::find_current(&mut conn, node).await?;
    drop(conn);
    let Some(stored) = stored.filter(|_| !is_there).map(|ends| ends.stored) else {
        return Ok(());
    };
    let rows = carry_over(node, id, stored, first.row().at, file);
    for part in parts(&rows) {
        let batch = JournalBatch {
            incarnation: id,
            from: part.first().map_or(1, |row| row.row().seq),
            rows: part.iter().map(|row| row.bytes().to_vec().into()).collect(),
        };
        journal::receive(app, cause, node, &batch).await?;
    }
    Ok(())
}

fn parse(lines: &str) -> Result<Vec<SealedRow>, FleetError> {
    let lines = lines.lines().enumerate();
    let lines = lines.filter(|(_, text)| !text.trim().is_empty());
    let rows = lines.map(|(index, text)| {
        let wrong =
            |allowed: &str| FleetError::Invalid("body", format!("line {}: {allowed}", index + 1));
        let Line { hash, row } = serde_json::from_str(text)
            .map_err(|_| wrong("must be a row as export-journal writes it"))?;
        let sealed = SealedRow::seal(row);
        if sealed.hash() == hash {
            Ok(sealed)
        } else {
            Err(wrong("the hash is not that of the row"))
        }
    });
    rows.collect()
}

/// Consecutive rows of one file, at most [`MAX_ROWS`] in a part.
fn parts(rows: &[SealedRow]) -> impl Iterator<Item = &[SealedRow]> {
    let follows = |a: &SealedRow, b: &SealedRow| {
        (a.row().incarnation, a.row().seq + 1) == (b.row().incarnation, b.row().seq)
    };
    rows.chunk_by(follows)
        .flat_map(|consecutive| consecutive.chunks(MAX_ROWS))
}
