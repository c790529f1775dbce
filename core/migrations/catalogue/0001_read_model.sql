-- What customers see; fed by events alone, each row by the newest it has heard of.

create table events (
    event_id uuid primary key,
    title text not null,
    description text not null,
    city text,
    tags text[] not null,
    status text not null check (status in ('draft', 'published', 'archived', 'cancelled')),
    published_at timestamptz,
    version int not null
);

create table performances (
    performance_id uuid primary key,
    event_id uuid not null,
    venue_id uuid not null,
    venue_name text,
    start_time timestamptz not null,
    doors_at timestamptz,
    ends_at timestamptz,
    sales_opens_at timestamptz,
    sales_closes_at timestamptz,
    -- [{"code", "name", "price": {"currency", "amount"}}], in the organiser's order.
    categories jsonb not null,
    cancelled boolean not null,
    version int not null
);
create index performances_of_event on performances (event_id, start_time);
create index performances_by_start on performances (start_time) where not cancelled;

-- The seats as inventory laid them out, in parts of bounded size; state stands in seat_claims.
create table seating (
    performance_id uuid not null,
    part int not null,
    seats jsonb not null,
    primary key (performance_id, part)
);

-- Who has which seat: taken when reserved, ended when released. A hold takes a seat at most once,
-- so the end stands for ever and the two messages may come in any order.
create table seat_claims (
    performance_id uuid not null,
    seat_id uuid not null,
    hold_id uuid not null,
    ended_at timestamptz,
    primary key (performance_id, seat_id, hold_id)
);
create index seat_claims_open on seat_claims (performance_id, seat_id) where ended_at is null;
create index seat_claims_ended on seat_claims (ended_at) where ended_at is not null;

create table zones (
    performance_id uuid not null,
    bucket_id uuid not null,
    zone text not null,
    categories text[] not null,
    position int not null,
    primary key (performance_id, bucket_id)
);

create table zone_levels (
    performance_id uuid not null,
    bucket_id uuid not null,
    remaining int not null,
    capacity int not null,
    version int not null,
    primary key (performance_id, bucket_id)
);
