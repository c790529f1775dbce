-- Whether an entry that a journal has shown was published as `ticket.checked_in`: once, whatever comes later.
-- Those that the core decided are published with its answer.
alter table scans add column told boolean not null default false;
