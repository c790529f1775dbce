-- Tickets, the orders that they were issued for, and the key sets that verify them (blueprint,
-- "Ticketing Service"; DECISIONS 10).

-- What event_management says about performances: when and where a ticket admits.
create table performances (
    performance_id uuid primary key,
    event_id uuid not null,
    event_title text not null,
    owner_id uuid not null,
    org_id text,
    venue_id uuid not null,
    doors_at timestamptz not null,
    start_time timestamptz not null,
    ends_at timestamptz,
    version int not null
);
create index performances_of_event on performances (event_id);

-- Paid orders, and what became of their tickets.
create table orders (
    order_id uuid primary key,
    customer_id uuid check (customer_id is not null or status = 'closed'),
    -- As in order.paid; the place in this list is a ticket's line.
    items jsonb not null,
    -- closed: refunded before any ticket was issued, so none will be.
    status text not null check (status in ('paid', 'issued', 'failed', 'closed')),
    failed_reason text check ((failed_reason is not null) = (status = 'failed')),
    received_at timestamptz not null,
    updated_at timestamptz not null,
    version int not null
);
create index orders_without_tickets on orders (received_at) where status = 'paid';

create table tickets (
    ticket_id uuid primary key,
    order_id uuid not null references orders,
    line int not null,
    -- From 0 to the item's quantity: issuing again finds the same tickets.
    unit int not null,
    customer_id uuid not null,
    performance_id uuid not null,
    venue_id uuid not null,
    seat_id uuid,
    seat_label text,
    bucket_id uuid,
    zone text,
    price_category text not null,
    currency char(3) not null,
    unit_amount numeric(15, 4) not null check (unit_amount >= 0),
    hold_id uuid not null,
    status text not null check (status in ('valid', 'revoked', 'used')),
    revoked_reason text check ((revoked_reason is not null) = (status = 'revoked')),
    -- Which entry the ticket is at; an exit or an undo opens the next.
    passage int not null,
    -- Counts up when the ticket is reissued; the token of an older revision admits nobody.
    revision int not null,
    -- The token's text.
    qr_payload text not null,
    token_hash bytea not null check (length(token_hash) = 32),
    -- Unix seconds, as in the token.
    not_before bigint not null,
    expiry bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version int not null,
    unique (order_id, line, unit),
    check (num_nonnulls(seat_id, bucket_id) = 1)
) with (fillfactor = 80);
create index tickets_of_customer on tickets (customer_id, created_at desc);
create index tickets_of_performance on tickets (performance_id);

-- The signed key sets that were in force, newest last.
create table key_sets (
    version bigint primary key,
    signed bytea not null,
    published_at timestamptz not null
);
