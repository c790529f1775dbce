-- Payments, refunds, and what the payment service provider told us (blueprint, "Payment Service";
-- DECISIONS 10, 26–29). No card data reaches this system.

create table payments (
    payment_id uuid primary key,
    -- One order, one payment: also the idempotency key of the intent.
    order_id uuid not null unique,
    customer_id uuid not null,
    status text not null check (status in ('processing', 'requires_action', 'captured', 'failed',
        'cancelled', 'partially_refunded', 'refunded')),
    currency char(3) not null,
    amount numeric(15, 4) not null check (amount > 0),
    captured_amount numeric(15, 4) not null default 0 check (captured_amount >= 0),
    refunded_amount numeric(15, 4) not null default 0
        check (refunded_amount >= 0 and refunded_amount <= captured_amount),
    provider text not null,
    provider_ref text unique,
    client_secret text,
    failure_reason text,
    -- What is to be asked of the provider next; null when nothing is.
    todo text check (todo in ('create', 'capture', 'cancel')),
    due_at timestamptz check ((due_at is not null) = (todo is not null)),
    attempts int not null default 0,
    -- When the provider was last heard: the reconciliation asks about payments in silence.
    heard_at timestamptz not null,
    -- The request that began it: what jobs do later belongs to the same chain.
    correlation_id uuid not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version int not null,
    -- The provider's half is known as a whole or not at all.
    check ((provider_ref is null) = (client_secret is null))
);
create index payments_due on payments (due_at) where todo is not null;
create index payments_silent on payments (heard_at) where status in ('processing', 'requires_action');

create table refunds (
    refund_id uuid primary key,
    payment_id uuid not null references payments,
    status text not null check (status in ('pending', 'succeeded', 'failed')),
    currency char(3) not null,
    amount numeric(15, 4) not null check (amount > 0),
    reason text not null,
    ticket_ids uuid[] not null,
    provider_ref text unique,
    failure_reason text check ((failure_reason is not null) = (status = 'failed')),
    due_at timestamptz,
    attempts int not null default 0,
    correlation_id uuid not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index refunds_of_payment on refunds (payment_id);
create index refunds_due on refunds (due_at) where status = 'pending';

-- Events of the provider that have had their effect: written in the effect's transaction.
create table psp_events (
    provider text not null,
    event_id text not null,
    kind text not null,
    received_at timestamptz not null,
    primary key (provider, event_id)
);

-- Orders that ended before their payment was made: no intent is created for them any more.
create table ended_orders (
    order_id uuid primary key
);
