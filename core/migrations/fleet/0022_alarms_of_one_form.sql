-- Alarms stand in the table that every context has (`standing_alarms`). What nobody has seen yet goes
-- on there; what somebody has seen is over.
insert into standing_alarms (alarm_id, kind, subject, act, about, details, momentary, raised_at,
    last_at, occurrences, begin_sent_at)
select distinct on (code, coalesce(node_id, venue_id)) alarm_id, code,
    coalesce(node_id::text, venue_id::text, 'core'),
    'Look at the details.',
    jsonb_strip_nulls(jsonb_build_object('venueId', venue_id, 'nodeId', node_id)),
    details, true, first_at, last_at, occurrences, now()
from alarms where seen_at is null
order by code, coalesce(node_id, venue_id), last_at desc
on conflict (kind, subject) where cleared_at is null do nothing;
drop table alarms;
