-- Whose tickets are, sealed: the node has the keys in its memory alone, and a day after a performance nowhere.
CREATE TABLE holders (
    id    BLOB PRIMARY KEY CHECK (length(id) = 16),
    bytes BLOB NOT NULL
) STRICT, WITHOUT ROWID;
