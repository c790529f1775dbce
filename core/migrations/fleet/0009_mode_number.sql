-- A node's own count of its modes: two reports of one mode with another number have an outage between
-- them, or the end of one.
alter table node_health add mode_number bigint;
