-- When a performance's tickets admit, as event_management computes it. Null in what the release before
-- writes: then from the doors to the planned end.
alter table performances add column admits_from timestamptz;
alter table performances add column admits_until timestamptz;
update performances set admits_from = doors_at - interval '30 minutes',
    admits_until = coalesce(ends_at, start_time + interval '6 hours');
-- Its organiser is not the venue's: nobody is admitted before the venue has confirmed it.
alter table performances add column awaits_venue boolean not null default false;

-- Messages come in any order: what is known of a performance before it was scheduled.
create table cancelled_performances (
    performance_id uuid primary key
);
create table confirmed_performances (
    performance_id uuid primary key,
    -- Of the performance: newer times want the venue's word again.
    version int not null
);

-- The feed's entries have another form: each venue's feed is compared and filled at once.
delete from feed_statements;
