-- Scans that nothing needs are forgotten (`ticketing.keep_scans_days`). Those that are a ticket's entry stay with
-- it, and are looked at once: up to here. One row.
create table swept_scans (
    only_one boolean primary key default true check (only_one),
    through timestamptz not null,
    scan_id uuid not null
);
insert into swept_scans (through, scan_id) values ('-infinity', '00000000-0000-0000-0000-000000000000');
create index scans_by_age on scans (created_at, scan_id);
drop index scans_age;
