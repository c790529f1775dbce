-- What the venue's clocks show. Of a venue of before: none until its next edit, read as UTC.
alter table venues add column time_zone text;
