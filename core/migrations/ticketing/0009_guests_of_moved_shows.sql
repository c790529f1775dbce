-- A show that gates admitted to, or were about to, has got other times since: when they may have let
-- somebody in by the earlier ones, and until when that guest may be inside (DECISIONS 53).
alter table performances
    add column guests_from timestamptz,
    add column guests_until timestamptz,
    add constraint guests_of_moved_show check ((guests_from is null) = (guests_until is null));
