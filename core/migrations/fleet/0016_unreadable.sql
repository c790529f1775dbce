-- One row for all texts of a scanner that were no tickets (ADMISSION 4.8), and their number in reports.
alter table journal_rows drop constraint journal_rows_kind_check;
alter table journal_rows add constraint journal_rows_kind_check
    check (kind in ('opened', 'decision', 'voided', 'refused_again', 'unreadable'));
alter table node_health add column unreadable bigint;
