-- An event's title may change after its performances were scheduled. The message may come before theirs, so
-- its newest title stands here too, with the version of the event.
create table event_titles (
    event_id uuid primary key,
    title text not null,
    version int not null
);
create index performances_of_event on performances (((facts->>'eventId')::uuid)) where facts is not null;
