-- Guests who were admitted with tickets that were revoked: whoever wants to release a place has to know
-- (DECISIONS 53). Messages come in any order, so they don't need a place that is kept back.
create table refunded_guests (
    ticket_id uuid primary key,
    gate_id uuid not null,
    -- Core time: not before, not after.
    earliest timestamptz not null,
    latest timestamptz not null,
    -- Of the ticket: the newest is true.
    version int not null,
    -- Nobody was admitted after all.
    dissolved boolean not null,
    -- When the venue was told that the place had been given back before.
    told_at timestamptz
);

alter table kept_back
    -- Since when gates may have admitted to the performance, when the ticket was revoked.
    add column gates_since timestamptz,
    -- What the release was warned of, and done all the same.
    add column released_despite text;
