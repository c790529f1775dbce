//! Going through all tickets and holders, for a search. In one read transaction ([`Reader::at_once`]) they
//! belong together.

use eventify_protocol::{
    ids::TicketId,
    sync::{FeedEntry, HolderEntry, Subject, TicketEntry, Value},
};
use rusqlite::OptionalExtension as _;

use super::{Reader, StoreError, reader::ticket_entry, rows};

impl Reader {
    /// Visits each ticket.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn each_ticket(
        &self,
        mut visit: impl FnMut(TicketId, TicketEntry),
    ) -> Result<(), StoreError> {
        self.each("SELECT bytes FROM tickets", |entry| {
            if let (Subject::Ticket(id), Some(ticket)) = (entry.subject, ticket_entry(entry)) {
                visit(id, ticket);
            }
        })
    }

    /// Visits each holder, with its entry's version.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn each_holder(
        &self,
        mut visit: impl FnMut(TicketId, u64, &HolderEntry),
    ) -> Result<(), StoreError> {
        self.each("SELECT bytes FROM holders", |entry| {
            if let (Subject::Holder(id), Some(Value::Holder(holder))) =
                (entry.subject, &entry.value)
            {
                visit(id, entry.version, holder);
            }
        })
    }

    /// A ticket's holder, with its entry's version.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn find_holder(&self, ticket: TicketId) -> Result<Option<(u64, HolderEntry)>, StoreError> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT bytes FROM holders WHERE id = ?")?;
        let bytes: Option<Vec<u8>> = statement
            .query_row([ticket.as_uuid().as_bytes()], |row| row.get(0))
            .optional()?;
        let entry = bytes.map(|bytes| rows::decode(&bytes)).transpose()?;
        Ok(entry.and_then(|entry| match entry.value {
            Some(Value::Holder(holder)) => Some((entry.version, holder)),
            _ => None,
        }))
    }

    fn each(&self, sql: &str, mut visit: impl FnMut(FeedEntry)) -> Result<(), StoreError> {
        let mut statement = self.connection().prepare_cached(sql)?;
        let mut all = statement.query(())?;
        while let Some(row) = all.next()? {
            let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            visit(rows::decode(bytes)?);
        }
        Ok(())
    }
}
