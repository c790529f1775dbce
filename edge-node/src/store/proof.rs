//! The newest proof of the cache's age, for a restart in the same boot (`ADMISSION` 1.5).

use eventify_protocol::{
    ids::BootId,
    sync::Position,
    time::{BootTime, CoreTime, WallTime},
};
use eventify_sync::edge::{Now, SavedProof};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{StoreError, encode, from_sql, to_sql};

pub(super) fn update(connection: &Connection, proof: &SavedProof) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO proof (only, boot, asked_boottime, asked_wall, answered, epoch,
             position, truth, core) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            proof.boot.as_uuid().as_bytes(),
            to_sql(proof.asked.boottime.0),
            proof.asked.wall.0,
            to_sql(proof.answered.0),
            encode(&proof.epoch),
            to_sql(proof.position.0),
            proof.truth.0,
            proof.core.0,
        ])?;
    Ok(())
}

pub(super) fn find(connection: &Connection) -> Result<Option<SavedProof>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT boot, asked_boottime, asked_wall, answered, epoch, position, truth, core FROM proof",
    )?;
    let mut rows = statement.query(())?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let epoch = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(Some(SavedProof {
        boot: BootId(Uuid::from_bytes(row.get(0)?)),
        asked: Now {
            boottime: BootTime(from_sql(row.get(1)?)),
            wall: WallTime(row.get(2)?),
        },
        answered: BootTime(from_sql(row.get(3)?)),
        epoch: minicbor::decode(epoch)?,
        position: Position(from_sql(row.get(5)?)),
        truth: CoreTime(row.get(6)?),
        core: CoreTime(row.get(7)?),
    }))
}
