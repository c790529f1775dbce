-- Versions of seat maps: what was made once is sent until something has changed, and who has a version
-- asks for the changes since then (DECISIONS 46).

create table map_versions (
    performance_id uuid primary key,
    -- Counts up in the transaction of each change; its row's lock puts them in an order.
    version bigint not null,
    -- Claims that have ended are deleted some day: changes are known since this version.
    known_since bigint not null default 0
);

-- Of the change that took or freed the seat.
alter table seat_claims add column version bigint not null default 0;
create index seat_claims_by_version on seat_claims (performance_id, version);
