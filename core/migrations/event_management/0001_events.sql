-- Events, their performances and prices (blueprint, "Event Service").

create table events (
    event_id uuid primary key,
    owner_id uuid not null,
    org_id text,
    title text not null,
    description text not null,
    city text,
    tags text[] not null,
    status text not null check (status in ('draft', 'published', 'archived', 'cancelled')),
    published_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version int not null,
    constraint published_since check (status <> 'published' or published_at is not null)
);
create index events_of_owner on events (owner_id, created_at desc);
create index events_of_organisation on events (org_id, created_at desc) where org_id is not null;

create table pricing_schemes (
    pricing_scheme_id uuid primary key,
    event_id uuid not null references events on delete restrict,
    currency char(3) not null,
    created_at timestamptz not null
);
create index pricing_schemes_of_event on pricing_schemes (event_id, created_at);

create table price_categories (
    pricing_scheme_id uuid not null references pricing_schemes on delete restrict,
    code text not null check (code ~ '^[A-Z0-9._-]{1,16}$'),
    name text not null,
    amount numeric(15, 4) not null check (amount >= 0),
    position int not null,
    primary key (pricing_scheme_id, name),
    unique (pricing_scheme_id, code)
);

create table performances (
    performance_id uuid primary key,
    event_id uuid not null references events on delete restrict,
    start_time timestamptz not null,
    doors_at timestamptz not null,
    ends_at timestamptz,
    sales_opens_at timestamptz,
    sales_closes_at timestamptz,
    venue_id uuid not null,
    seating_plan_id uuid not null,
    pricing_scheme_id uuid not null references pricing_schemes on delete restrict,
    status text not null check (status in ('scheduled', 'cancelled')),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version int not null
);
create index performances_of_event on performances (event_id, start_time);

-- What inventory has told of the seating plans, so that a performance is planned where it can be.
create table known_plans (
    seating_plan_id uuid primary key,
    venue_id uuid not null,
    venue_name text not null,
    owner_id uuid not null,
    org_id text,
    shared boolean not null,
    -- The sets of categories that its seats and zones are meant for: [["STALLS"], []].
    category_sets jsonb not null
);
create index known_plans_of_venue on known_plans (venue_id);
