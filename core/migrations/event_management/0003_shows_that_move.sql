-- Its organiser is not the venue's: the venue is asked (ADMISSION 3.11). Newer times want its word again.
alter table performances add column awaits_venue boolean not null default false;
alter table performances add column confirmed_version int not null default 0;
-- The earliest end that was ever published: codes that were signed then are good for some weeks more.
alter table performances add column first_admits_until timestamptz;
-- Whether it was published with the times at which it admits. What the release before has published was
-- not, and is published again.
alter table performances add column published_window boolean not null default false;
create index performances_without_window on performances (event_id) where not published_window;
create index performances_of_venue on performances (venue_id, start_time);
