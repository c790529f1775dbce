-- Venues as they are now: what their clocks show, and their names, which performances have as of when they were planned.
create table venues (
    venue_id uuid primary key,
    name text not null,
    time_zone text not null,
    version int not null
);
