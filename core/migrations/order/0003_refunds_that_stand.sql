-- A refund that the provider refuses stands until somebody has decided (DECISIONS 42); one that the
-- guest's bank sent back is not succeeded any more.

alter table order_refunds
    drop constraint order_refunds_status_check,
    add constraint order_refunds_status_check check (status in
        ('requested', 'succeeded', 'failed', 'parked', 'returned')),
    -- The provider's code, while it stands or failed.
    add column failure_reason text,
    -- Who sent the money: `provider`, `elsewhere`, `hand`; and the reference of a payment by hand.
    add column settled_by text,
    add column reference text,
    -- Of payment's last word about it: its events come in any order.
    add column payment_version int not null default 0;
update order_refunds set settled_by = 'provider' where status = 'succeeded';

-- What went back without us, as payment last said.
alter table orders
    add column refunded_elsewhere numeric(15, 4) not null default 0,
    add column refunded_elsewhere_version int not null default 0;
