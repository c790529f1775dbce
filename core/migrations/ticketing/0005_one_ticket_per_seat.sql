-- The last line of defence: a seat of a performance admits with one ticket at a time. Asks for the
-- reason and not for the status, which changes with each check-in and would cost those their cheap
-- updates.

create unique index tickets_one_per_seat on tickets (performance_id, seat_id)
    where seat_id is not null and revoked_reason is null;
