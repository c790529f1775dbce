-- The venue's organisation: its people see and run what belongs to it. A venue of before has it from its next
-- edit on.
alter table venues add column org_id text;
create index venues_of_organisation on venues (org_id) where org_id is not null;
