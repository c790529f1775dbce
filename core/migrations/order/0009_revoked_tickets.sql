-- Tickets that lost their value, as ticketing says, also without a refund: the order shows it. The message may come
-- before that of the order's tickets.
create table revoked_tickets (
    ticket_id uuid primary key,
    order_id uuid not null,
    reason text not null
);
create index revoked_tickets_of_order on revoked_tickets (order_id);
