-- The box office sells until a performance admits nobody any more. Null in what the release before
-- writes: then until it begins.
alter table performances add column admits_until timestamptz;
update performances set admits_until = coalesce(ends_at, start_time + interval '6 hours');
