-- The names of venues, each with the version that it came with: messages arrive in any order, and a
-- plan may arrive after its venue was renamed.
create table known_venues (
    venue_id uuid primary key,
    name text not null,
    version int not null
);
