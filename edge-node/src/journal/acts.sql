-- What people did at a gate beside scanning: found by the act's id, which is done once, and by the person,
-- whose acts within an hour are counted.
ALTER TABLE rows ADD COLUMN act BLOB CHECK (length(act) = 16);
ALTER TABLE rows ADD COLUMN person BLOB CHECK (length(person) = 16);
CREATE INDEX rows_by_act ON rows (act) WHERE act IS NOT NULL;
CREATE INDEX rows_by_person ON rows (person, chain, seq) WHERE person IS NOT NULL;
