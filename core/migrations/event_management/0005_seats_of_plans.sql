-- Numbered seats of a plan, for the limit on what an organiser has laid out within an hour. Unknown of plans that
-- were published before: these count nothing.
alter table known_plans add column seats bigint not null default 0;
create index performances_by_creation on performances (created_at);
