-- Whether webhooks still reach us (DECISIONS 57): one row for all processes. It is written while
-- something is wrong, so webhooks in order wait for no lock on it.
create table webhook_watch (
    only_one boolean primary key default true check (only_one),
    -- The first and the last that the provider sent and that was refused.
    refused_since timestamptz,
    refused_at timestamptz,
    refused bigint not null default 0,
    -- Why the last one was, a code.
    cause text,
    -- Since when a comparison has booked what no webhook had told.
    missed_since timestamptz,
    -- The last that was taken since then.
    taken_at timestamptz,
    check ((refused_since is null) = (refused_at is null))
);
insert into webhook_watch default values;
