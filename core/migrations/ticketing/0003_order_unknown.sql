-- It can't be said whether the check-in was the first entry of its passage: stands on it as on the
-- conflicting entry (ADMISSION 7.2).
alter table checkins add order_unknown boolean not null default false;
update checkins set order_unknown = true where exists (
    select from checkin_conflicts as other
    where other.ticket_id = checkins.ticket_id and other.passage = checkins.passage
        and other.kind = 'order_unknown');
