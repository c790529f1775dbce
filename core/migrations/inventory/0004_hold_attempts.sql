-- Which attempts a hold stands on: a release names the attempt that it undoes (DECISIONS 45).

-- No foreign key: an attempt may be undone before it arrives, and is then refused when it comes.
create table hold_attempts (
    hold_id uuid not null,
    attempt_id uuid not null,
    undone boolean not null,
    recorded_at timestamptz not null,
    primary key (hold_id, attempt_id)
);

-- What ended it: an operator who finds a paid order without places has to know.
alter table holds add column ended_by text;

-- A cart that ends ends all of its holds.
create index holds_of_owner on holds (owner_id) where status in ('held', 'confirmed');
