-- The scanners paired with each node, as the node last reported them, and what venue IT ordered there.

create table scanner_lists (
    node_id uuid primary key references nodes on delete restrict,
    -- The newest revision of the node's list that is here whole.
    revision bigint not null,
    reported_at timestamptz not null
);

create table scanners (
    node_id uuid not null references nodes on delete restrict,
    scanner_id uuid not null,
    -- Of the list that it was last part of.
    revision bigint not null,
    label text not null,
    -- Null: all gates of the node.
    gates uuid[],
    -- As the node knows them.
    paired_at timestamptz,
    last_seen_at timestamptz,
    primary key (node_id, scanner_id)
);

-- Kept after they are done: who ordered what, and an old disk that comes back is told again.
create table scanner_orders (
    node_id uuid not null references nodes on delete restrict,
    -- From 1, without gaps.
    number bigint not null check (number > 0),
    scanner_id uuid not null,
    kind text not null check (kind in ('unpair', 'edit')),
    -- Of an edit: what is null stays.
    label text,
    all_gates boolean not null default false,
    gates uuid[],
    ordered_by uuid not null,
    ordered_at timestamptz not null,
    -- The node has reported it.
    done_at timestamptz,
    primary key (node_id, number)
);
create index scanner_orders_open on scanner_orders (node_id, number) where done_at is null;
