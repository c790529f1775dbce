-- Who runs a venue, its gates and its edge nodes (ADMISSION 4.4).

-- One row a venue that fleet serves. It is locked to commit by whoever writes the venue's feed, so
-- that commit order is feed order.
create table venues (
    venue_id uuid primary key,
    -- As inventory told; null while only its performances are known.
    name text,
    owner_id uuid,
    described_version int not null default 0,
    -- Key of the digest's row hashes; made with the row, never changed.
    digest_key bytea not null check (octet_length(digest_key) = 32),
    head bigint not null default 0 check (head >= 0),
    digest bytea not null check (octet_length(digest) = 32),
    -- Entries at and before this position have been compacted away.
    compacted_to bigint not null default 0 check (compacted_to <= head),
    -- Degraded check-in is off until the venue switches it on (DECISIONS 35).
    max_cache_age_ms int not null default 0 check (max_cache_age_ms between 0 and 300000),
    policy_version int not null default 1,
    created_at timestamptz not null default now()
);

-- Who, beside its owner and administrators, may run a venue.
create table venue_operators (
    venue_id uuid not null references venues on delete restrict,
    user_id uuid not null,
    appointed_by uuid not null,
    appointed_at timestamptz not null default now(),
    primary key (venue_id, user_id)
);

create table gates (
    gate_id uuid primary key,
    venue_id uuid not null references venues on delete restrict,
    name text not null,
    -- Empty: all of the venue.
    performances uuid[] not null,
    -- Empty: all.
    categories text[] not null,
    version int not null,
    updated_at timestamptz not null,
    unique (venue_id, name)
);

-- A node's life: announced (a code waits) -> enrolled -> revoked. Instance ids are never used again.
create table nodes (
    node_id uuid primary key,
    venue_id uuid not null references venues on delete restrict,
    label text not null,
    gates uuid[] not null,
    version int not null,
    created_at timestamptz not null,
    created_by uuid not null,
    -- SHA-256 of the enrolment code's secret; the secret itself is never stored.
    code_hash bytea not null unique check (octet_length(code_hash) = 32),
    code_expires_at timestamptz not null,
    -- SHA-256 of the public key (SubjectPublicKeyInfo) that the code was used with.
    key_hash bytea check (octet_length(key_hash) = 32),
    certificate_chain text,
    certificate_expires_at timestamptz,
    enrolled_at timestamptz,
    revoked_at timestamptz,
    revoked_by uuid,
    check ((enrolled_at is null) = (key_hash is null)),
    check ((enrolled_at is null) = (certificate_chain is null)),
    check ((enrolled_at is null) = (certificate_expires_at is null)),
    unique (venue_id, label)
);

-- What a node last said of itself. Apart from `nodes`, because it changes every few seconds.
create table node_health (
    node_id uuid primary key references nodes on delete restrict,
    seen_at timestamptz not null,
    mode text not null,
    mode_since timestamptz not null,
    mode_changes int not null,
    cache_age_ms bigint,
    head bigint not null,
    unacknowledged bigint not null,
    free_bytes bigint not null,
    software text not null
);

-- What somebody has to look at: one row for each code, node and day, with a count.
create table alarms (
    alarm_id uuid primary key,
    code text not null,
    venue_id uuid,
    node_id uuid,
    raised_on date not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    occurrences bigint not null,
    -- Ids, positions, hashes; never personal data.
    details jsonb not null,
    unique nulls not distinct (code, node_id, venue_id, raised_on)
);
create index alarms_latest on alarms (last_at desc);
