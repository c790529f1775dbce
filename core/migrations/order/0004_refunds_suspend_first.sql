-- The doors may open long before the start: a customer's own cancel ends a day before the first of both.
-- Null in what the release before writes: then the start counts.
alter table performances add column doors_at timestamptz;
