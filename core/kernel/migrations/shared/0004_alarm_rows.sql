-- One row an alarm, from its begin to its end, of all contexts in one form (DECISIONS 63): what it is
-- about, so that those who may see it are found; who has acknowledged it; what has been sent about it.

alter table standing_alarms
    drop constraint standing_alarms_pkey,
    add column alarm_id uuid not null default gen_random_uuid(),
    -- Ids by name: {"venueId": "…", "nodeId": "…"}.
    add column about jsonb not null default '{}',
    -- Nothing but an acknowledgement ends one that says that something has happened.
    add column momentary boolean not null default false,
    add column acknowledged_at timestamptz,
    add column acknowledged_by uuid,
    add column acknowledged_name text,
    -- When its begin and its end were sent to people. What is older than this table's form is not sent.
    add column begin_sent_at timestamptz,
    add column end_sent_at timestamptz,
    add constraint standing_alarms_acknowledged
        check (num_nulls(acknowledged_at, acknowledged_by, acknowledged_name) in (0, 3));
update standing_alarms set begin_sent_at = now(), end_sent_at = cleared_at where cleared_at is not null;
alter table standing_alarms add primary key (alarm_id);
create unique index standing_alarms_one on standing_alarms (kind, subject) where cleared_at is null;
create index standing_alarms_unsent on standing_alarms (raised_at)
    where begin_sent_at is null or end_sent_at is null;
create index standing_alarms_cleared on standing_alarms (cleared_at) where cleared_at is not null;
