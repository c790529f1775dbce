-- How often an attempt of a refund was requested under another key, because the provider repeats an
-- internal error for the same one (DECISIONS 43).
alter table refunds add column requests int not null default 0;
