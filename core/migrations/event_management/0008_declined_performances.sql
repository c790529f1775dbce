-- The newest version that the venue has declined; 0 for none.
alter table performances add column declined_version int not null default 0;
