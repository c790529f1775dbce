-- What a venue says to its nodes beside the limit of their caches: whether guests can be looked for at the
-- gates (off unless it is switched on), and what staff do while nobody decides.
alter table venues
    add column search bool not null default false,
    add column procedure text[] not null default '{}';
