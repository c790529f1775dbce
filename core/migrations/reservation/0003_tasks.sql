-- Releases of holds become tasks.

insert into tasks (kind, key, payload, due_at, correlation_id, created_at)
select 'release_holds', release_id,
    case when release_id = hold_id
        then jsonb_build_object('hold', jsonb_build_object('hold_id', hold_id))
        else jsonb_build_object('item', jsonb_build_object('item_id', release_id,
            'hold_id', hold_id, 'owner', owner_id, 'seat_id', seat_id, 'bucket_id', bucket_id,
            'qty', coalesce(qty, 1)))
    end,
    due_at, correlation_id, due_at
from releases;

drop table releases;
