-- Performances that are still to be laid out, one after the other, in turns between their organisers (DECISIONS 73).
create table layouts (
    performance_id uuid primary key,
    -- Whose turn it is.
    owner_id uuid not null,
    -- The message `performance.scheduled`, as it came.
    scheduled jsonb not null,
    correlation_id uuid not null,
    created_at timestamptz not null
);
create index layouts_of_owner on layouts (owner_id, created_at);

-- For what an owner has planned within an hour.
create index seating_plans_by_creation on seating_plans (created_at);
