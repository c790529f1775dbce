-- Requests to the provider become tasks. `payments.todo` stays: it is a part of the state.

insert into tasks (kind, key, payload, due_at, attempts, correlation_id, created_at)
select 'drive_payments', payment_id, jsonb_build_object('payment_id', payment_id), due_at,
    attempts, correlation_id, updated_at
from payments where todo is not null;

insert into tasks (kind, key, payload, due_at, attempts, correlation_id, created_at)
select 'drive_refunds', refund_id,
    jsonb_build_object('refund_id', refund_id, 'may_exist', attempts > 0),
    coalesce(due_at, updated_at), attempts, correlation_id, created_at
from refunds where status = 'pending';

drop index payments_due;
alter table payments drop column due_at, drop column attempts;
drop index refunds_due;
alter table refunds drop column due_at, drop column attempts;
