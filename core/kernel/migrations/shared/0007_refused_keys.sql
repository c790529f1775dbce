-- Refusals are forgotten sooner than what was done: anybody can have any number of them.
create index idempotency_keys_refused on idempotency_keys (created_at) where status between 400 and 499;
