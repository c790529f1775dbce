-- Orders made from confirmed reservations (blueprint, "Order Service"; DECISIONS 10, 26–28).

create table orders (
    order_id uuid primary key,
    reservation_id uuid not null unique,
    customer_id uuid not null,
    status text not null check (status in
        ('pending', 'processing', 'paid', 'partially_refunded', 'refunded', 'cancelled')),
    currency char(3) not null,
    total_amount numeric(15, 4) not null check (total_amount >= 0),
    -- Unpaid by then: cancelled, and its seats are free again.
    pay_until timestamptz not null,
    -- Payment's answer to the request for an intent; null while it is still asked.
    payment_id uuid,
    paid_at timestamptz check (status not in ('paid', 'partially_refunded', 'refunded') or paid_at is not null),
    cancelled_reason text check ((cancelled_reason is not null) = (status = 'cancelled')),
    -- The request that began it: what jobs do later belongs to the same chain.
    correlation_id uuid not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version int not null
);
create index orders_of_customer on orders (customer_id, created_at desc);
create index orders_unpaid on orders (pay_until) where status in ('pending', 'processing');
create index orders_without_intent on orders (created_at)
    where payment_id is null and status in ('pending', 'processing');
create index orders_of_payment on orders (payment_id);

create table order_items (
    order_id uuid not null references orders,
    line int not null,
    performance_id uuid not null,
    venue_id uuid not null,
    seat_id uuid,
    seat_label text,
    bucket_id uuid,
    zone text,
    qty int not null check (qty > 0),
    price_category text not null,
    currency char(3) not null,
    unit_amount numeric(15, 4) not null check (unit_amount >= 0),
    hold_id uuid not null,
    primary key (order_id, line),
    check (num_nonnulls(seat_id, bucket_id) = 1)
);
create index order_items_of_performance on order_items (performance_id);

create table order_refunds (
    refund_id uuid primary key,
    order_id uuid not null references orders,
    status text not null check (status in ('requested', 'succeeded', 'failed')),
    currency char(3) not null,
    amount numeric(15, 4) not null check (amount >= 0),
    reason text not null,
    -- Why, in the organiser's own words.
    note text,
    -- The user who asked; null when the saga itself did.
    requested_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index order_refunds_of_order on order_refunds (order_id);

-- Tickets as ticketing has issued them, each with what was paid for it. A ticket is refunded once.
create table order_tickets (
    ticket_id uuid primary key,
    order_id uuid not null references orders,
    performance_id uuid not null,
    currency char(3) not null,
    amount numeric(15, 4) not null check (amount >= 0),
    refund_id uuid references order_refunds
);
create index order_tickets_of_order on order_tickets (order_id);
create index order_tickets_refundable on order_tickets (performance_id) where refund_id is null;

-- What the refund policy needs of performances.
create table performances (
    performance_id uuid primary key,
    event_id uuid not null,
    owner_id uuid not null,
    org_id text,
    start_time timestamptz not null,
    version int not null
);
create index performances_of_event on performances (event_id);

-- Rows of their own, because events come in any order.
create table cancelled_performances (
    performance_id uuid primary key,
    -- Set when every order of it has been given its refund.
    refunded_at timestamptz
);
