-- A queued release of a hold named neither the attempt nor the cart that it belonged to. What stands
-- in a cart is released with the cart, and not before; what stands in none is a failed attempt, which
-- inventory knows none of: its hold ends unless another attempt has taken it up.

insert into tasks (kind, key, payload, due_at, correlation_id, created_at)
select distinct on (cart.reservation_id) 'release_holds', cart.reservation_id,
    jsonb_build_object('cart', jsonb_build_object('cart', cart.reservation_id, 'reason',
        cart.ended_reason)),
    task.due_at, task.correlation_id, task.created_at
from tasks task
join reservation_items item on item.hold_id = (task.payload -> 'hold' ->> 'hold_id')::uuid
join reservations cart on cart.reservation_id = item.reservation_id
where task.kind = 'release_holds' and task.payload ? 'hold' and cart.ended_reason is not null
on conflict do nothing;

delete from tasks task using reservation_items item
where task.kind = 'release_holds' and task.payload ? 'hold'
    and item.hold_id = (task.payload -> 'hold' ->> 'hold_id')::uuid;

update tasks set payload = jsonb_build_object('attempt', jsonb_build_object(
    'hold_id', payload -> 'hold' -> 'hold_id', 'attempt', payload -> 'hold' -> 'hold_id'))
where kind = 'release_holds' and payload ? 'hold';
