-- Who may admit, scans, check-ins, conflicts, journals (ADMISSION 3, 4, 7; DECISIONS 4, 10).

-- What fleet says about gates and nodes.
create table gates (
    gate_id uuid primary key,
    venue_id uuid not null,
    name text not null,
    -- Empty: all of the venue.
    performances uuid[] not null,
    categories text[] not null,
    version int not null
);

create table nodes (
    node_id uuid primary key,
    venue_id uuid not null,
    gates uuid[] not null,
    revoked boolean not null,
    version int not null
);

-- Who may check in over REST, for which event.
create table checkin_assignments (
    event_id uuid not null,
    user_id uuid not null,
    assigned_by uuid not null,
    assigned_at timestamptz not null,
    primary key (event_id, user_id)
);
create index checkin_assignments_of_user on checkin_assignments (user_id);

-- One row a scan id: what the core said itself, and what a journal says was shown.
create table scans (
    scan_id uuid primary key,
    scanner_id uuid not null,
    gate_id uuid not null,
    token_hash bytea not null check (length(token_hash) = 32),
    ticket_id uuid,
    node_id uuid,
    -- As the caller of the REST API names it.
    device_id text,
    own_verdict jsonb,
    own_at timestamptz,
    shown_verdict jsonb,
    shown_incarnation uuid,
    shown_seq bigint,
    -- By whom it was decided, and the sync point (its time as core time) that it was decided by.
    decided_by text not null check (decided_by in ('core', 'edge')),
    sync_position bigint,
    sync_truth bigint,
    created_at timestamptz not null,
    check (num_nulls(shown_verdict, shown_incarnation, shown_seq) in (0, 3)),
    check ((own_verdict is null) = (own_at is null))
);
create index scans_age on scans (created_at);

-- The entry that counts.
create table checkins (
    checkin_id uuid primary key,
    ticket_id uuid not null references tickets,
    passage int not null,
    scan_id uuid not null,
    gate_id uuid not null,
    -- None for a check-in over REST.
    node_id uuid,
    -- Core time, microseconds since 1970: what a node claims need not lie in any calendar. The
    -- same twice if the core saw it itself.
    earliest bigint not null,
    latest bigint not null,
    evidence text not null check (evidence in ('unconfirmed', 'journal', 'api')),
    -- The journal row that says that it was shown.
    journal_incarnation uuid,
    journal_seq bigint,
    constraint checkins_one_a_passage unique (ticket_id, passage),
    check (num_nonnulls(journal_incarnation, journal_seq)
        = case when evidence = 'journal' then 2 else 0 end)
);

-- Other entries of the same passage.
create table checkin_conflicts (
    conflict_id uuid primary key,
    ticket_id uuid not null references tickets,
    passage int not null,
    scan_id uuid not null,
    gate_id uuid not null,
    node_id uuid,
    earliest bigint not null,
    latest bigint not null,
    evidence text not null check (evidence in ('unconfirmed', 'journal', 'api')),
    journal_incarnation uuid,
    journal_seq bigint,
    kind text not null check (kind in ('double_entry', 'order_unknown')),
    -- Both admissions as they were told last: gates, nodes, devices, times, sync points.
    first jsonb not null,
    second jsonb not null,
    version int not null,
    created_at timestamptz not null,
    unique (ticket_id, passage, scan_id),
    check (num_nonnulls(journal_incarnation, journal_seq)
        = case when evidence = 'journal' then 2 else 0 end)
);

-- How far each journal file has been applied. Batches can come in any order; rows are applied in
-- theirs.
create table journals (
    node_id uuid not null,
    incarnation uuid not null,
    applied_through bigint not null,
    primary key (node_id, incarnation)
);

-- Batches that came before the ones that they follow.
create table waiting_batches (
    node_id uuid not null,
    incarnation uuid not null,
    from_seq bigint not null,
    through_seq bigint not null check (through_seq >= from_seq),
    venue_id uuid not null,
    rows bytea[] not null,
    primary key (node_id, incarnation, from_seq)
);
