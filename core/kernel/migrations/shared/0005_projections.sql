-- Which projections a tracked row may change; null: perhaps every one, as in rows of before. The others
-- don't wait for it (DECISIONS 67).
alter table outbox add column projections uuid[];

-- Nearly all rows name one. The others are few, and looked through.
create index outbox_unprojected on outbox ((projections[1]), created_at)
    where feeds_venues and settled_at is null and cardinality(projections) = 1;
create index outbox_unprojected_of_several on outbox (created_at)
    where feeds_venues and settled_at is null and cardinality(projections) is distinct from 1;
drop index outbox_unsettled;
