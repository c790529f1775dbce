-- What the clocks of venues show. Of a venue of before: none until its next edit, read as UTC.
create table venues (
    venue_id uuid primary key,
    time_zone text not null,
    version int not null
);
