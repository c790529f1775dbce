-- The same in every context's schema: outbox, inbox, idempotency keys (DECISIONS 11, 21).

create table outbox (
    position bigint generated always as identity primary key,
    message_id uuid not null unique,
    kind text not null,
    routing_key text not null,
    aggregate_id uuid not null,
    aggregate_version int not null,
    schema_version int not null,
    payload jsonb not null,
    correlation_id uuid not null,
    traceparent text,
    tracestate text,
    -- Start of the writing transaction; the watermark of the sync points relies on it.
    created_at timestamptz not null default now(),
    published_at timestamptz,
    -- Rows that a venue's feed waits for are settled when `fleet` has written their entries.
    feeds_venues boolean not null,
    settled_at timestamptz
);
create index outbox_unpublished on outbox (position) where published_at is null;
create index outbox_unsettled on outbox (created_at) where feeds_venues and settled_at is null;

create table inbox (
    message_id uuid primary key,
    source text not null,
    correlation_id uuid not null,
    received_at timestamptz not null default now()
);

create table idempotency_keys (
    caller uuid not null,
    route text not null,
    key text not null,
    request_hash bytea not null,
    -- While the request runs; afterwards the response below.
    leased_until timestamptz not null,
    status smallint,
    headers jsonb,
    body bytea,
    created_at timestamptz not null,
    primary key (caller, route, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);
