-- What does not go on while an alarm stands, so that a probe can say whether the house still does its work.

alter table standing_alarms
    add column stops text[] not null default '{}' check (stops <@ '{sales,gates}');
