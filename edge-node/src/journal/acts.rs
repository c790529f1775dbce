//! What people did at a gate beside scanning, as the journal has it (`ADMISSION` 3.13).

use std::collections::{BTreeMap, btree_map::Entry};

use eventify_protocol::{
    ids::{ActId, IncarnationId, PersonId},
    sync::{JournalEntry, JournalRow, Moment},
};
use eventify_sync::edge::{DoneAct, MAX_RECENT_ACTS};
use rusqlite::params;

use super::{JournalError, Reader, reader::decode_row, to_sql};

/// The act of a row and, if it needs a reason and is counted, whose it is.
pub(super) fn act_of(row: &JournalRow) -> (Option<ActId>, Option<PersonId>) {
    let by = row.entry.act();
    let counted = by.filter(|by| by.reason.is_some());
    (by.map(|by| by.act), counted.map(|by| by.person))
}

impl Reader {
    /// An act, unless it was taken back before anybody was shown that it was done.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn find_act(&self, act: ActId) -> Result<Option<DoneAct>, JournalError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT bytes FROM rows WHERE act = ? ORDER BY chain DESC, seq DESC LIMIT 1",
        )?;
        let mut rows = statement.query([act.as_uuid().as_bytes()])?;
        let Some(found) = rows.next()? else {
            return Ok(None);
        };
        let row = decode_row(found, 0)?.row().clone();
        let is_taken_back = self.is_taken_back(&row)?;
        Ok((!is_taken_back).then_some(DoneAct {
            entry: row.entry,
            at: row.at,
        }))
    }

    /// When a person did acts that need a reason: the newest [`MAX_RECENT_ACTS`]. A row that another file
    /// has carried over is the same act.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn list_acts(&self, person: PersonId) -> Result<Vec<(ActId, Moment)>, JournalError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT bytes FROM rows WHERE person = ? ORDER BY chain DESC, seq DESC LIMIT ?",
        )?;
        let most = to_sql(MAX_RECENT_ACTS as u64);
        let mut rows = statement.query(params![person.as_uuid().as_bytes(), most])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let row = decode_row(row, 0)?.row().clone();
            if let Some(by) = row.entry.act() {
                found.push((by.act, row.at));
            }
        }
        Ok(found)
    }

    /// Everything that people did, the oldest first, each act once: as the last file has it that carries it. Not
    /// what was taken back before anybody was shown that it was done.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn list_all_acts(&self) -> Result<Vec<DoneAct>, JournalError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT bytes FROM rows WHERE act IS NOT NULL ORDER BY chain, seq")?;
        let mut rows = statement.query(())?;
        let (mut found, mut places) = (Vec::new(), BTreeMap::new());
        while let Some(row) = rows.next()? {
            let row = decode_row(row, 0)?.row().clone();
            let Some(act) = row.entry.act().map(|by| by.act) else {
                continue;
            };
            match places.entry(act) {
                Entry::Occupied(place) => found[*place.get()] = row,
                Entry::Vacant(place) => {
                    place.insert(found.len());
                    found.push(row);
                }
            }
        }
        let mut acts = Vec::new();
        for row in found {
            if !self.is_taken_back(&row)? {
                let JournalRow { entry, at, .. } = row;
                acts.push(DoneAct { entry, at });
            }
        }
        Ok(acts)
    }

    /// Whether a row says that this one was never shown; only an override can be taken back.
    fn is_taken_back(&self, of: &JournalRow) -> Result<bool, JournalError> {
        let JournalEntry::Overridden(act) = &of.entry else {
            return Ok(false);
        };
        let mut statement = self
            .connection
            .prepare_cached("SELECT bytes FROM rows WHERE scan = ?")?;
        let mut rows = statement.query([act.scan.as_uuid().as_bytes()])?;
        while let Some(row) = rows.next()? {
            let row = decode_row(row, 0)?.row().clone();
            if takes_back(&row, (of.incarnation, of.seq)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn takes_back(row: &JournalRow, of: (IncarnationId, u64)) -> bool {
    matches!(row.entry, JournalEntry::Voided { row: voided, .. } if (row.incarnation, voided) == of)
}
