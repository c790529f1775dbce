-- When a ticket got new codes, for the limit on how often. Rows older than a day are deleted with the next.
create table reissues (
    ticket_id uuid not null references tickets on delete restrict,
    at timestamptz not null
);
create index reissues_of_ticket on reissues (ticket_id, at);
