-- What ticketing has stated of some tickets, ticket by ticket, because the feed adds up to something
-- else. It is judged when the feed holds all that was committed before it (ADMISSION 5.2).
create table feed_comparisons (
    comparison_id bigint generated always as identity primary key,
    -- ticketing.tickets.stated
    stated jsonb not null,
    as_of timestamptz not null,
    received_at timestamptz not null default now()
);
-- An entry that repairs a row: the digest is counted anew from the rows, which are not what they
-- were when it was last written.
alter table feed_pending add recount boolean not null default false;
