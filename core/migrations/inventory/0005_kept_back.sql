-- Places of revoked tickets that are not sold again by themselves (DECISIONS 53). While a row is not
-- released, its order still has the place.

create table kept_back (
    -- A ticket is revoked once.
    ticket_id uuid primary key,
    order_id uuid not null,
    performance_id uuid not null references performances on delete restrict,
    -- A seat, or one unit of a zone.
    seat_id uuid,
    bucket_id uuid,
    -- Why somebody may sit there.
    reason text not null,
    since timestamptz not null,
    released_at timestamptz,
    released_by uuid,
    -- In the words of whoever released it.
    note text,
    constraint one_place check ((seat_id is null) <> (bucket_id is null)),
    constraint released_by_somebody check (
        (released_at is null) = (released_by is null) and (note is null or released_at is not null)
    )
);
create index kept_back_of_performance on kept_back (performance_id, since, ticket_id);
create index kept_back_of_order on kept_back (order_id) where released_at is null;
