-- How many good tickets there are, kept beside them in the same transactions: nobody reads a hundred thousand
-- rows to see how full a hall is. The gate is that of the entry; empty for tickets that nobody has used.
CREATE TABLE ticket_counts (
    performance BLOB    NOT NULL CHECK (length(performance) = 16),
    category    TEXT    NOT NULL,
    gate        BLOB    NOT NULL CHECK (length(gate) IN (0, 16)),
    tickets     INTEGER NOT NULL,
    PRIMARY KEY (performance, category, gate)
) STRICT, WITHOUT ROWID;
