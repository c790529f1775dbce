-- The box office that took places in a customer's name: they don't count for the customer (DECISIONS 68).
alter table holds add column seller_id uuid;
