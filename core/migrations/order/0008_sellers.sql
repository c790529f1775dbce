-- The box office that sold it: it may act on the order until it is paid (DECISIONS 24).
alter table orders add column seller_id uuid;
