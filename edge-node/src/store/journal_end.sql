-- The journal's end when the proof was written: one of the places from which a loss of the journal's
-- file is known.
CREATE TABLE journal_end (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    incarnation BLOB    NOT NULL CHECK (length(incarnation) = 16),
    seq         INTEGER NOT NULL,
    hash        BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
