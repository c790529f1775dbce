-- Each start of a node, as its first Hello told: of two that live, the younger is a copy (ADMISSION 4.7).
create table node_sessions (
    node_id uuid not null references nodes on delete restrict,
    session_id uuid not null,
    -- The order in which they were first heard.
    number bigint generated always as identity,
    -- Microseconds of the database's clock, which sync points carry.
    first_heard bigint not null,
    is_duplicate boolean not null default false,
    primary key (node_id, session_id)
);
