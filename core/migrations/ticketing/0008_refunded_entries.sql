-- The entry that stands published as one whose money goes back (DECISIONS 54).
alter table tickets add column refunded_scan_id uuid;
