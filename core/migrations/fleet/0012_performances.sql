-- Performances in a venue, as event_management published them, and whether the venue admits to them
-- (ADMISSION 3.11).
create table performances (
    performance_id uuid primary key,
    venue_id uuid not null,
    -- event_management's facts; null while only the cancellation is known.
    facts jsonb,
    facts_version int not null default 0,
    -- Of the newest message, which is the version of the feed's entry.
    version int not null,
    cancelled boolean not null default false,
    admits_until timestamptz,
    -- Its organiser is not the venue's.
    awaits_venue boolean not null default false,
    -- Version of the facts that the venue has confirmed: newer times want its word again.
    confirmed_version int,
    confirmed_at timestamptz,
    confirmed_by uuid,
    check ((facts is null) = (admits_until is null)),
    check (num_nulls(confirmed_version, confirmed_at, confirmed_by) in (0, 3))
);
create index performances_of_venue on performances (venue_id, admits_until);

-- Entries of performances and tickets have another form (digest algorithm 2). What was written in the
-- first form goes: event_management publishes its performances again, and ticketing's statements show
-- which tickets the feed lacks (ADMISSION 5.2). Nodes begin with a snapshot.
delete from feed_entries;
delete from snapshots;
delete from feed_comparisons;
update venues set compacted_to = head;
delete from feed_state where substring(subject from 1 for 2) in ('\x8204', '\x8205');
update feed_pending set venue_id = null, subject = null, version = null, entry = null
where substring(subject from 1 for 2) in ('\x8204', '\x8205');
-- The digest is counted anew from the rows that stay.
insert into feed_pending (message_id, source, venue_id, subject, version, entry, recount)
select gen_random_uuid(), 'fleet', venue_id, subject, version, entry, true
from feed_state where subject = '\x8100';
