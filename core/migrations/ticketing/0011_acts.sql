-- What people do at gates beside scanning, and passages that are over (ADMISSION 7.4, DECISIONS 61). The
-- release before reads all of it as what it knows: an override as an entry that a journal confirms, or as a
-- double entry.

-- A supervisor let in whom the scan had refused.
alter table checkins add column overridden boolean not null default false;
alter table checkin_conflicts add column overridden boolean not null default false;

-- Since when the scan's entry is over (core time): undone, or of a passage that has ended.
alter table scans add column ended_at bigint;

-- Somebody was inside with it, and has left.
alter table tickets add column attended boolean not null default false;

-- Passages that are over; their check-ins and conflicts stay where they are.
create table passage_ends (
    ticket_id uuid not null references tickets,
    passage int not null,
    kind text not null check (kind in ('left', 'undone', 'restarted')),
    -- Core time, microseconds since 1970.
    earliest bigint not null,
    latest bigint not null,
    -- The journal row that says so; none if the show was moved.
    node_id uuid,
    journal_incarnation uuid,
    journal_seq bigint,
    primary key (ticket_id, passage),
    check (num_nulls(node_id, journal_incarnation, journal_seq) in (0, 3))
);

-- The show was moved after it had begun to admit: who was let in before then is let in again.
alter table performances add column restarts_at timestamptz;
