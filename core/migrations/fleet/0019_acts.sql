-- What people do at gates beside scanning (ADMISSION 3.13 to 3.15): rows of their own, with who and why.
alter table journal_rows drop constraint journal_rows_kind_check;
alter table journal_rows add constraint journal_rows_kind_check
    check (kind in ('opened', 'decision', 'voided', 'refused_again', 'unreadable', 'overridden', 'undone',
        'left', 'gate_changed', 'searched'));
alter table journal_rows
    add column act_id uuid,
    add column reason text;
-- Acts that need a reason, of one person at one node within an hour; null: the protocol's default.
alter table venues add column acts_per_hour int check (acts_per_hour between 0 and 200);
