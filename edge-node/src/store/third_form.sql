-- Entries of the second form (digest algorithm 2) have neither place nor short code, and a release that knew
-- only that form has written newer ones back without them: the node begins without a replica, and fetches
-- it anew. What it decided itself is in the journal.
DELETE FROM replica;
DELETE FROM tickets;
DELETE FROM small;
DELETE FROM proof;

-- The tag of a ticket's short code, as in its entry; none in an entry without one.
ALTER TABLE tickets ADD COLUMN code BLOB CHECK (length(code) = 8);
CREATE INDEX tickets_by_code ON tickets (code) WHERE code IS NOT NULL;
