-- Durable work of a context: what a transaction wants done outside of itself, with retries. A row
-- goes when its work is done; one that is parked waits for an operator (`eventify-core tasks`).

create table tasks (
    -- What is to be done, and about what: once at a time.
    kind text not null,
    key uuid not null,
    payload jsonb not null,
    due_at timestamptz not null,
    -- Attempts that were begun since the request, also those of a process that died.
    attempts int not null default 0,
    -- Attempts that failed since the request or an operator's retry.
    failures int not null default 0,
    last_error text,
    parked_at timestamptz,
    -- Counts up with each request and each claim: who claimed an earlier one can't end a later one.
    revision int not null default 1,
    -- The request that began it: the work belongs to the same chain.
    correlation_id uuid not null,
    created_at timestamptz not null,
    primary key (kind, key)
);
create index tasks_due on tasks (kind, due_at) where parked_at is null;
