-- One row when the replica is complete, none before.
CREATE TABLE replica (
    only       INTEGER PRIMARY KEY CHECK (only = 1),
    epoch      BLOB    NOT NULL,
    position   INTEGER NOT NULL,
    digest     BLOB    NOT NULL CHECK (length(digest) = 32),
    digest_key BLOB    NOT NULL CHECK (length(digest_key) = 32)
) STRICT;

-- Feed entries in their canonical encoding, which the digest is made of: tickets by id, everything
-- else by its encoded subject.
CREATE TABLE tickets (
    id    BLOB PRIMARY KEY CHECK (length(id) = 16),
    bytes BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE small (
    subject BLOB PRIMARY KEY,
    bytes   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest proof of time: it names a position, so it lies beside what that position is of.
CREATE TABLE proof (
    only           INTEGER PRIMARY KEY CHECK (only = 1),
    boot           BLOB    NOT NULL CHECK (length(boot) = 16),
    asked_boottime INTEGER NOT NULL,
    asked_wall     INTEGER NOT NULL,
    answered       INTEGER NOT NULL,
    epoch          BLOB    NOT NULL,
    position       INTEGER NOT NULL,
    truth          INTEGER NOT NULL,
    core           INTEGER NOT NULL
) STRICT;
