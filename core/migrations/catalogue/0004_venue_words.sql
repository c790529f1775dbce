-- What venues say of performances of other organisers: the newest version of their plan that was confirmed, and
-- declined; 0 for none. Messages come in any order.
create table venue_words (
    performance_id uuid primary key,
    confirmed int not null default 0,
    declined int not null default 0
);
