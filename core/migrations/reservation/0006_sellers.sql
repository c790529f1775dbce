-- The box office that opened a cart in its customer's name, and may act on it beside them (DECISIONS 24).
alter table reservations add column seller_id uuid;
