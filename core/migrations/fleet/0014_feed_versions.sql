-- A performance's entry in the feed has a version of fleet's own (ADMISSION 5.2), raised by whatever
-- changes the entry: by a confirmation too, of which event_management's versions know nothing. An entry
-- whose version is not above the feed's is dropped. 0: as the release before, which took the version of
-- the newest message; whoever reads takes the greater of both.
alter table performances add feed_version bigint not null default 0;
