-- Guests who were admitted with tickets whose money goes back, as ticketing publishes them (DECISIONS 54).
create table refunded_admissions (
    ticket_id uuid primary key,
    venue_id uuid not null,
    scan_id uuid not null,
    -- The whole event.
    finding jsonb not null,
    -- Of the ticket: the newest is true.
    version int not null,
    -- It is none any more. The row stays, so that older news of it says nothing.
    dissolved boolean not null,
    -- When the venue was alarmed: once for each that is not dissolved.
    alarmed_at timestamptz
);
create index refunded_admissions_of_scan on refunded_admissions (scan_id);

-- Who has looked at an alarm; none again when it occurs again.
alter table alarms
    add column seen_at timestamptz,
    add column seen_by uuid,
    add constraint alarms_seen check (num_nulls(seen_at, seen_by) in (0, 2));
