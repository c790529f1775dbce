-- The keys of holders, one for each performance that admits soon, of venues that have switched search on. A
-- key that is deleted here and at the nodes makes every copy of what it has sealed unreadable, wherever one
-- is left: in the feed's history, in snapshots, on a node's disk.
create table holder_keys (
    performance_id uuid primary key,
    venue_id uuid not null references venues on delete restrict,
    key bytea not null check (octet_length(key) = 32),
    wipe_at timestamptz not null,
    -- How far order's list of holders was read: all of it (since is null), or what changed since. A pass that
    -- is under way began then, and goes on behind this ticket.
    pass_since timestamptz,
    pass_began timestamptz,
    pass_after uuid,
    created_at timestamptz not null default now()
);
create index holder_keys_of_venue on holder_keys (venue_id);

-- Tickets whose holders the feed has. No name is here, but whether it changed: a hash under the key.
create table holders (
    ticket_id uuid primary key,
    venue_id uuid not null references venues on delete restrict,
    performance_id uuid not null,
    content bytea not null check (octet_length(content) = 32)
);
create index holders_of_performance on holders (performance_id);

-- Above every version that a holder's entry had before, also under an earlier key.
create sequence holder_versions;

-- Kinds of rows: what people do beside scanning, and guests whom they looked for.
alter table journal_rows drop constraint journal_rows_kind_check;
alter table journal_rows add constraint journal_rows_kind_check
    check (kind in ('opened', 'decision', 'voided', 'refused_again', 'unreadable', 'overridden',
        'undone', 'left', 'gate_changed', 'searched'));

-- Who was shown whom: the rows of searches are found by person, and by the tickets that they showed.
alter table journal_rows add column if not exists person_id uuid;
create index journal_rows_searches on journal_rows (node_id, received_at) where kind = 'searched';
