-- The stock of each performance: what was laid out, who holds it, what is sold.

create table performances (
    performance_id uuid primary key,
    event_id uuid not null,
    venue_id uuid not null,
    seating_plan_id uuid not null,
    -- The event's organiser, who may adjust the stock.
    owner_id uuid not null,
    org_id text,
    -- Counts up with each statement about remaining places; readers keep the newest.
    availability_version int not null
);
create index performances_of_event on performances (event_id);

-- Messages come in any order: what is known of an event or performance before it was laid out.
create table published_events (
    event_id uuid primary key,
    open boolean not null,
    version int not null
);
create table cancelled_performances (
    performance_id uuid primary key
);

create table performance_seats (
    performance_id uuid not null references performances on delete restrict,
    seat_id uuid not null references seats on delete restrict,
    label text not null,
    section text not null,
    -- Price categories in which the seat is sold at this performance; none: it is not on sale.
    categories text[] not null,
    blocked boolean not null,
    primary key (performance_id, seat_id),
    unique (performance_id, label)
);

-- `hold_active = false` means sold; released = deleted. The primary key is what makes a double
-- sale impossible.
create table seat_allocations (
    performance_id uuid not null,
    seat_id uuid not null,
    hold_id uuid not null,
    hold_active boolean not null default true,
    expires_at timestamptz,
    primary key (performance_id, seat_id),
    foreign key (performance_id, seat_id) references performance_seats on delete restrict,
    constraint sold_does_not_expire check (hold_active = (expires_at is not null))
);
create index seat_allocations_of_hold on seat_allocations (hold_id);

create table performance_buckets (
    performance_id uuid not null references performances on delete restrict,
    bucket_id uuid not null references inventory_buckets on delete restrict,
    zone text not null,
    categories text[] not null,
    primary key (performance_id, bucket_id)
);

-- A zone's capacity is split over rows, so that a hot zone is not one row lock.
create table bucket_slots (
    performance_id uuid not null,
    bucket_id uuid not null,
    slot smallint not null,
    capacity int not null check (capacity >= 0),
    reserved int not null default 0,
    primary key (performance_id, bucket_id, slot),
    foreign key (performance_id, bucket_id) references performance_buckets on delete restrict,
    constraint reserved_le_capacity check (reserved between 0 and capacity)
);

create table holds (
    hold_id uuid primary key,
    -- Null only for an id that was released before its hold came. No foreign key: on an on-sale
    -- every hold would share-lock the one row of its performance.
    performance_id uuid,
    status text not null check (status in ('held', 'confirmed', 'sold', 'released')),
    -- Hash of what was asked for; another request under the same id is refused.
    request_hash bytea,
    -- The service account that took it over HTTP; null for a reservation's.
    holder_id uuid,
    order_id uuid,
    expires_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version int not null,
    constraint tombstone_or_hold check (
        status = 'released'
        or (performance_id is not null and request_hash is not null and expires_at is not null)
    )
);
create index holds_that_expire on holds (expires_at) where status = 'held';
create index holds_of_order on holds (order_id) where order_id is not null;

-- Which slots a hold's units came from, so that they go back there.
create table bucket_allocations (
    hold_id uuid not null references holds on delete restrict,
    performance_id uuid not null,
    bucket_id uuid not null,
    slot smallint not null,
    quantity int not null check (quantity > 0),
    primary key (hold_id, bucket_id, slot),
    foreign key (performance_id, bucket_id, slot) references bucket_slots on delete restrict
);

-- Parts given back: cart items, tickets. Each once, whoever reports it.
create table returned_parts (
    return_id uuid primary key,
    hold_id uuid not null,
    returned_at timestamptz not null
);

-- Orders that are paid, or closed without places left: whichever is told last, closed wins.
create table orders (
    order_id uuid primary key,
    closed boolean not null
);

-- One row for each change of a performance's stock, swept up into one `availability.updated`.
create table availability_changes (
    change_id bigint generated always as identity primary key,
    performance_id uuid not null
);
