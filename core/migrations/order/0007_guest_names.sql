-- Who comes, as the customer has it: nobody has to say. In a table of its own, so that a name can be taken
-- back and nothing else changes. Venues that let their staff look for guests get it sealed (fleet).
create table guest_names (
    order_id uuid primary key references orders,
    name text not null check (length(name) between 1 and 60),
    given_at timestamptz not null
);

-- When the order of a ticket got its name, or the ticket came to its order: what changed since is read again.
alter table order_tickets add column holder_changed_at timestamptz not null default now();
create index order_tickets_holders on order_tickets (performance_id, ticket_id);
create index order_tickets_holders_changed on order_tickets (performance_id, holder_changed_at);
