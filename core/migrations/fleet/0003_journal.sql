-- The nodes' journals: raw rows, which prove the chain, and decoded columns, which answer questions
-- (ADMISSION 4).

-- One journal file. The row is locked for each batch.
create table journals (
    node_id uuid not null references nodes on delete restrict,
    incarnation uuid not null,
    -- Contiguous end that is stored.
    seq bigint not null default 0,
    hash bytea not null check (octet_length(hash) = 32),
    -- Contiguous end whose effects are in the feed; what JournalAck says.
    acked_seq bigint not null default 0,
    acked_hash bytea not null check (octet_length(acked_hash) = 32),
    acked_position bigint not null default 0,
    -- The chain that this one goes on from.
    succeeds_incarnation uuid,
    succeeds_seq bigint,
    succeeds_hash bytea,
    opened_at timestamptz not null default now(),
    -- The order of a node's files.
    file_number bigint generated always as identity,
    primary key (node_id, incarnation),
    check (acked_seq <= seq)
);

create table journal_rows (
    node_id uuid not null,
    incarnation uuid not null,
    seq bigint not null check (seq > 0),
    hash bytea not null check (octet_length(hash) = 32),
    -- The row's exact bytes.
    bytes bytea not null,
    kind text not null check (kind in ('opened', 'decision', 'voided')),
    wall_at timestamptz,
    core_earliest bigint,
    core_latest bigint,
    scan_id uuid,
    scanner_id uuid,
    gate_id uuid,
    ticket_id uuid,
    performance_id uuid,
    verdict text,
    mode text,
    decided_by text,
    cache_age_ms bigint,
    point_position bigint,
    point_truth bigint,
    voids_seq bigint,
    received_at timestamptz not null default now(),
    -- What ticketing made of it; null until it has, and for rows that decide nothing.
    outcome jsonb,
    primary key (node_id, incarnation, seq),
    foreign key (node_id, incarnation) references journals on delete restrict
);
create index journal_rows_scan on journal_rows (scan_id) where scan_id is not null;
create index journal_rows_ticket on journal_rows (ticket_id) where ticket_id is not null;

-- Rows that contradict a chain that is held: another row of the same number, or one that doesn't
-- follow. Both are kept.
create table journal_forks (
    node_id uuid not null,
    incarnation uuid not null,
    seq bigint not null,
    hash bytea not null,
    bytes bytea not null,
    received_at timestamptz not null default now(),
    primary key (node_id, incarnation, seq, hash)
);

-- Stored rows on their way through ticketing: held (the node was revoked; an administrator decides)
-- -> sent -> applied.
create table journal_batches (
    batch_id uuid primary key,
    node_id uuid not null,
    incarnation uuid not null,
    from_seq bigint not null,
    to_seq bigint not null,
    state text not null check (state in ('held', 'sent', 'applied')),
    received_at timestamptz not null default now(),
    accepted_by uuid,
    foreign key (node_id, incarnation) references journals on delete restrict,
    unique (node_id, incarnation, from_seq),
    check (from_seq <= to_seq)
);
create index journal_batches_open on journal_batches (node_id, incarnation, from_seq)
    where state <> 'applied';

-- Two admissions of one ticket, as ticketing told: what the report names in full.
create table conflicts (
    conflict_id uuid primary key,
    ticket_id uuid not null,
    order_unknown boolean not null,
    first_scan uuid not null,
    second_scan uuid not null,
    -- Both admissions: scan, gate, node, scanner, interval of core time, sync point.
    first jsonb not null,
    second jsonb not null,
    version int not null
);
create index conflicts_second on conflicts (second_scan);
