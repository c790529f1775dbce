-- What a person has to look at, until it is over. Raised and cleared in the transaction of the fact
-- that it is about, so neither can be there without the other.

create table standing_alarms (
    kind text not null,
    -- What it is about, one alarm each: an id, or the name of a party.
    subject text not null,
    -- What to do, in words.
    act text not null,
    -- Ids and numbers, no personal data.
    details jsonb not null,
    raised_at timestamptz not null,
    last_at timestamptz not null,
    occurrences bigint not null,
    cleared_at timestamptz,
    primary key (kind, subject)
);
create index standing_alarms_standing on standing_alarms (last_at desc) where cleared_at is null;
