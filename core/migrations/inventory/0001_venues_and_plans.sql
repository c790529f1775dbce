-- Venues, their seating plans, and the seats and zones of a plan (blueprint, "Inventory Service").

create table venues (
    venue_id uuid primary key,
    owner_id uuid not null,
    org_id text,
    -- Made by an administrator: every organiser may use it.
    shared boolean not null,
    name text not null,
    city text,
    address jsonb,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version int not null
);
create index venues_of_owner on venues (owner_id, created_at desc);

create table seating_plans (
    seating_plan_id uuid primary key,
    venue_id uuid not null references venues on delete restrict,
    name text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version int not null,
    unique (venue_id, name)
);

create table seats (
    seat_id uuid primary key,
    seating_plan_id uuid not null references seating_plans on delete restrict,
    section text not null,
    row_label text not null,
    number_label text not null,
    -- `A-12`: unique in the plan, so that a client can name the seat by it.
    label text not null,
    -- Place in the plan, from 0; seats are shown in this order.
    position int not null,
    -- Codes of the price categories for which the seat is meant; none: any.
    categories text[] not null,
    accessible boolean not null,
    blocked boolean not null,
    unique (seating_plan_id, section, row_label, number_label),
    unique (seating_plan_id, label)
);
create index seats_of_plan on seats (seating_plan_id, position);

create table inventory_buckets (
    bucket_id uuid primary key,
    seating_plan_id uuid not null references seating_plans on delete restrict,
    zone text not null,
    capacity int not null check (capacity >= 0),
    position int not null,
    categories text[] not null,
    unique (seating_plan_id, zone)
);
