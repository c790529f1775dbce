-- A chain is what `ADMISSION` 4.1 calls an incarnation. After a fork a new one begins in the same
-- file; the old one stays.
CREATE TABLE chains (
    ordinal     INTEGER PRIMARY KEY,
    incarnation BLOB    NOT NULL UNIQUE CHECK (length(incarnation) = 16),
    -- Rows up to here were removed after their time; the rest of the chain hangs on this hash.
    base_seq    INTEGER NOT NULL,
    base_hash   BLOB    NOT NULL CHECK (length(base_hash) = 32),
    CHECK (ordinal > 0 AND base_seq >= 0)
) STRICT;

-- `scan` is set for decisions and for what voids them.
CREATE TABLE rows (
    chain  INTEGER NOT NULL REFERENCES chains (ordinal),
    seq    INTEGER NOT NULL CHECK (seq > 0),
    hash   BLOB    NOT NULL CHECK (length(hash) = 32),
    scan   BLOB    CHECK (length(scan) = 16),
    bytes  BLOB    NOT NULL,
    PRIMARY KEY (chain, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX rows_by_scan ON rows (scan) WHERE scan IS NOT NULL;

-- What the core has acknowledged: rows of a chain up to `seq`, whose effects are in the feed of
-- `epoch` by `position`.
CREATE TABLE acknowledgements (
    chain    INTEGER NOT NULL REFERENCES chains (ordinal),
    seq      INTEGER NOT NULL,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    epoch    BLOB    NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (chain, seq)
) STRICT, WITHOUT ROWID;
