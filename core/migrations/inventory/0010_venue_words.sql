-- What venues say of performances of other organisers, and of which version of their plan: the newest that was
-- planned, confirmed and declined; 0 for none. Messages come in any order.
create table venue_words (
    performance_id uuid primary key,
    planned int not null default 0,
    confirmed int not null default 0,
    declined int not null default 0
);
