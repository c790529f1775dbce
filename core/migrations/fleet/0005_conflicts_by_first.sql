-- A guest of an outage can be the first as well: the other was admitted online meanwhile.
create index conflicts_first on conflicts (first_scan);
