-- Whether guests may leave and come back, and since when entries count if the performance was moved after it
-- had begun to admit (ADMISSION 3.15, 3.16).
alter table performances
    add column reentry boolean not null default false,
    add column restarts_at timestamptz;
