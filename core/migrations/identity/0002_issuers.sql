-- Identity providers that were ever trusted. Rows are added and never deleted: what they stand for is owned.
create table issuers (
    iss text primary key,
    issuer_id uuid not null unique,
    -- The ids of its organisations stand in the rows of all contexts as they are. Those of any other issuer
    -- stand there with its issuer_id before them.
    is_first boolean not null,
    -- Its users and organisations are those of that issuer.
    succeeds text references issuers,
    known_since timestamptz not null,
    -- Since when no process trusts it, nor a successor.
    vanished_at timestamptz
);

create unique index issuers_first on issuers (is_first) where is_first;

insert into issuers (iss, issuer_id, is_first, known_since)
select iss, gen_random_uuid(), row_number() over (order by min(first_seen_at), iss) = 1, min(first_seen_at)
from users group by iss;
