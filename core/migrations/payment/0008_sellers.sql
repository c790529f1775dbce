-- The box office that sold the order: it pays in its customer's name (DECISIONS 24).
alter table payments add column seller_id uuid;
alter table free_orders add column seller_id uuid;
