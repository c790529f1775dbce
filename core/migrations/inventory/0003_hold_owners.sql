-- Whose a hold is: what a customer keeps from others is counted, and only they can buy it.

alter table holds
    -- The cart, or the service account. Null for an id that was released before its hold came.
    add column owner_id uuid,
    add column customer_id uuid;
create index holds_of_customer on holds (customer_id, performance_id)
    where status in ('held', 'confirmed');
