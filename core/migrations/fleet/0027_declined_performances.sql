-- The venue does not admit to a foreign organiser's performance, as it was planned then.
alter table performances
    add column declined_version int,
    add column declined_at timestamptz,
    add column declined_by uuid,
    add constraint declined_is_whole check (num_nulls(declined_version, declined_at, declined_by) in (0, 3));
