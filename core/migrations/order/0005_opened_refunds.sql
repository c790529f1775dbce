-- A refund is `opened` until its tickets are suspended, and `requested` when its money was asked for: so
-- what stands before can be asked for again, and nothing is asked for twice.

alter table order_refunds
    drop constraint order_refunds_status_check,
    add constraint order_refunds_status_check check (status in
        ('opened', 'requested', 'succeeded', 'failed', 'parked', 'returned'));
create index order_refunds_opened on order_refunds (updated_at) where status = 'opened';
