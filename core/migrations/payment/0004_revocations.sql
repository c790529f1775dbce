-- Tickets that somebody decided to revoke: the item stays open until they are (DECISIONS 42).
alter table open_items
    -- Whose value is to end; empty: all that the order has.
    add column revoking_tickets uuid[] not null default '{}',
    add column revoking_by uuid,
    add column revoking_since timestamptz,
    -- Why the last decision was not carried out, a code.
    add column refused_because text,
    add constraint open_items_revoking check ((revoking_by is null) = (revoking_since is null));

alter table issued_tickets add column revoked boolean not null default false;
