-- What a venue's clocks show: of its plan when that was defined, of its newest edit. Of before: none, read as UTC.
alter table known_plans add column time_zone text;
alter table known_venues add column time_zone text;
