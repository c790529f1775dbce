-- Carts with holds (blueprint, "Reservation Service"; DECISIONS 10, 23, 24).

create table reservations (
    reservation_id uuid primary key,
    customer_id uuid not null,
    status text not null check (status in ('pending', 'confirmed', 'cancelled', 'expired')),
    -- While pending: until when it can be filled and confirmed. Once confirmed: until when the
    -- order must be paid.
    expires_at timestamptz not null,
    -- Why it ended: expired, user_cancelled, payment_failed, …
    ended_reason text check ((ended_reason is not null) = (status in ('cancelled', 'expired'))),
    -- The request that began it: what jobs do later belongs to the same chain.
    correlation_id uuid not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version int not null
);
create index reservations_of_customer on reservations (customer_id, created_at desc);
create index reservations_expiring on reservations (expires_at) where status = 'pending';

create table reservation_items (
    item_id uuid primary key,
    reservation_id uuid not null references reservations on delete cascade,
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
    -- Items that were added together share a hold: all of them were to be had, or none.
    hold_id uuid not null,
    check (num_nonnulls(seat_id, bucket_id) = 1),
    check (seat_id is null or qty = 1),
    constraint reservation_items_once
        unique nulls not distinct (reservation_id, performance_id, seat_id, bucket_id, price_category)
);

-- What inventory is still to be told to give back: a whole hold, or the places of a removed item.
-- A reservation that ended doesn't wait for inventory.
create table releases (
    -- The hold's id, or the removed item's: the idempotency key.
    release_id uuid primary key,
    hold_id uuid not null,
    seat_id uuid,
    bucket_id uuid,
    qty int,
    due_at timestamptz not null,
    correlation_id uuid not null,
    check ((release_id = hold_id) = (num_nonnulls(seat_id, bucket_id) = 0))
);
create index releases_due on releases (due_at);

-- What event_management says about performances and prices: the core's own prices.
create table performances (
    performance_id uuid primary key,
    event_id uuid not null,
    event_title text not null,
    venue_id uuid not null,
    start_time timestamptz not null,
    ends_at timestamptz,
    sales_opens_at timestamptz,
    sales_closes_at timestamptz,
    version int not null
);
create index performances_of_event on performances (event_id);

create table performance_prices (
    performance_id uuid not null references performances on delete cascade,
    code text not null,
    name text not null,
    currency char(3) not null,
    amount numeric(15, 4) not null check (amount >= 0),
    primary key (performance_id, code)
);

-- Rows of their own, because events come in any order.
create table published_events (
    event_id uuid primary key
);
create table cancelled_performances (
    performance_id uuid primary key
);
