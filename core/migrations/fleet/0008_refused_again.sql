-- One row for all repeats of a refusal (ADMISSION 4.6).
alter table journal_rows drop constraint journal_rows_kind_check;
alter table journal_rows add constraint journal_rows_kind_check
    check (kind in ('opened', 'decision', 'voided', 'refused_again'));
