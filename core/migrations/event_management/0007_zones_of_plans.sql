-- Zones of a plan, for the same limit. Unknown of plans that were published before: these count nothing.
alter table known_plans add column zones bigint not null default 0;
