-- What the venue's clocks show, by its name in the tz database. Venues of before, and those that the release
-- before still adds, have UTC until their owner says otherwise (`PUT /venues/{venueId}`).
alter table venues add column time_zone text not null default 'Etc/UTC';
