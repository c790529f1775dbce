-- Orders that wait for their payment intent become tasks.

insert into tasks (kind, key, payload, due_at, correlation_id, created_at)
select 'request_intents', order_id, jsonb_build_object('order_id', order_id), updated_at,
    correlation_id, created_at
from orders
where payment_id is null and status in ('pending', 'processing');

drop index orders_without_intent;
