-- Who was on shift at the scanner, as the node's journal says: an id of fleet's list of staff.
alter table scans add column person_id uuid;
