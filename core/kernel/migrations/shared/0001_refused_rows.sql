-- Rows that the broker doesn't take wait beside the others, and are tried again more and more seldom.

alter table outbox
    add column refusals int not null default 0,
    add column refused_because text,
    -- Not before that.
    add column retry_at timestamptz;
create index outbox_refused on outbox (retry_at)
    where published_at is null and retry_at is not null;
