-- The feed of each venue (ADMISSION 5).

-- What other contexts (and fleet itself) have said and the feed doesn't hold yet. A row is written
-- by the consumer with its inbox entry, and deleted when the publishing context's outbox row has
-- been settled: so a crash at any point only repeats the settling.
create table feed_pending (
    pending_id bigint generated always as identity primary key,
    message_id uuid not null,
    -- The context whose outbox row waits; 'fleet' for our own changes, which have none.
    source text not null,
    -- Null in a row that says nothing to a venue and only has to be settled.
    venue_id uuid,
    subject bytea,
    version bigint,
    -- CBOR of the FeedEntry.
    entry bytea,
    -- A batch of journal rows whose effects stand before this row: acknowledged with its position.
    batch_id uuid,
    created_at timestamptz not null default now(),
    -- Set by the writer, in the transaction of the entries.
    written_at timestamptz,
    check ((subject is null) = (entry is null) and (subject is null) = (version is null)),
    check (subject is null or venue_id is not null)
);
create index feed_pending_unwritten on feed_pending (pending_id) where written_at is null;
create index feed_pending_oldest on feed_pending (created_at) where written_at is null;
create index feed_pending_message on feed_pending (message_id);

-- Gapless from venues.compacted_to + 1 to venues.head.
create table feed_entries (
    venue_id uuid not null references venues on delete restrict,
    position bigint not null check (position > 0),
    entry bytea not null,
    -- The venue's digest with this entry.
    digest bytea not null check (octet_length(digest) = 32),
    written_at timestamptz not null default now(),
    primary key (venue_id, position)
);
create index feed_entries_age on feed_entries (written_at);

-- The newest entry of each subject; the sum of the feed. `subject` is its CBOR, whose byte order is
-- the order of a snapshot. A deleted subject stays, so that an older version can't bring it back.
create table feed_state (
    venue_id uuid not null references venues on delete restrict,
    subject bytea not null,
    version bigint not null,
    position bigint not null,
    live boolean not null,
    entry bytea not null,
    primary key (venue_id, subject)
);

-- The newest signed key set, as ticketing told it; every venue's feed carries it.
create table key_sets (
    version bigint primary key,
    bytes bytea not null
);

-- A replica of one position, as an object: the same for every node and every core process.
create table snapshots (
    snapshot_id uuid primary key,
    venue_id uuid not null references venues on delete restrict,
    epoch_system bigint not null,
    epoch_timeline int not null,
    position bigint not null,
    digest bytea not null,
    chunks int not null,
    hash bytea not null,
    created_at timestamptz not null default now(),
    -- Compaction spares what a pull still needs.
    pulled_at timestamptz not null default now()
);
create index snapshots_latest on snapshots (venue_id, position desc);

create table snapshot_chunks (
    snapshot_id uuid not null references snapshots on delete cascade,
    chunk int not null,
    bytes bytea not null,
    primary key (snapshot_id, chunk)
);
