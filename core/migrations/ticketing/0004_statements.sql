-- When the venue's tickets were last stated to fleet, which compares its feed with them
-- (ADMISSION 5.2).
create table feed_statements (
    venue_id uuid primary key,
    stated_at timestamptz not null
);
create index tickets_of_venue on tickets (venue_id, ticket_id);
