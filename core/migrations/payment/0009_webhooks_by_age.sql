-- Webhooks are forgotten when the provider sends them no more (`payment.keep_webhooks_days`).
create index psp_events_age on psp_events (received_at);
