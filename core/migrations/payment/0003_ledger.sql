-- Money has one truth, and the provider may contradict us (DECISIONS 42): a ledger of facts, and items
-- that stay open until somebody has decided.

-- What happened to the money of a payment. Rows are added and never changed.
create table ledger (
    position bigint generated always as identity primary key,
    payment_id uuid not null references payments,
    kind text not null check (kind in ('captured', 'refunded', 'refunded_elsewhere', 'returned',
        'paid_by_hand', 'disputed', 'dispute_won', 'dispute_lost')),
    currency char(3) not null,
    amount numeric(15, 4) not null check (amount >= 0),
    -- The provider's id of what moved the money; by hand: the reference of who did it.
    provider_ref text not null,
    -- Ours, if it was ours.
    refund_id uuid,
    learnt_by text not null check (learnt_by in ('call', 'webhook', 'comparison', 'staff', 'migration')),
    -- When it happened, as far as the provider says.
    happened_at timestamptz not null,
    learnt_at timestamptz not null
);
create index ledger_of_payment on ledger (payment_id, position);
create index ledger_of_object on ledger (provider_ref);

create function ledger_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is append-only';
end
$$;
create trigger ledger_append_only before update or delete on ledger
    for each row execute function ledger_is_append_only();

insert into ledger (payment_id, kind, currency, amount, provider_ref, learnt_by, happened_at, learnt_at)
select payment_id, 'captured', currency, captured_amount, provider_ref, 'migration', updated_at, updated_at
from payments where captured_amount > 0 and provider_ref is not null;

insert into ledger (payment_id, kind, currency, amount, provider_ref, refund_id, learnt_by, happened_at,
    learnt_at)
select payment_id, 'refunded', currency, amount, coalesce(provider_ref, refund_id::text), refund_id,
    'migration', updated_at, updated_at
from refunds where status = 'succeeded';

-- Captured, but not what the order costs: `amount_differs`. What is refunded is a sum of the ledger.
alter table payments
    drop constraint payments_status_check,
    add constraint payments_status_check check (status in ('processing', 'requires_action', 'captured',
        'failed', 'cancelled', 'partially_refunded', 'refunded', 'amount_differs')),
    drop constraint payments_check,
    add constraint payments_refunded_amount_check check (refunded_amount >= 0),
    -- Of what was captured, where it is not the order's currency.
    add column captured_currency char(3),
    -- Why the last card was declined; another one may be tried.
    add column last_decline text,
    -- The provider refuses to create an intent, with this code: people must look at it.
    add column parked_reason text,
    -- How often the intent was requested anew after a refusal.
    add column attempt int not null default 1;

alter table refunds
    drop constraint refunds_status_check,
    add constraint refunds_status_check check (status in ('pending', 'succeeded', 'failed', 'parked',
        'returned')),
    drop constraint refunds_check,
    add constraint refunds_failure_reason_check check (
        (failure_reason is not null) = (status in ('failed', 'parked', 'returned'))),
    -- Each attempt after a refusal is a new request to the provider.
    add column attempt int not null default 1,
    -- Who sent the money: the provider at our request, somebody at the provider, or staff by hand.
    add column settled_by text not null default 'provider'
        check (settled_by in ('provider', 'elsewhere', 'hand')),
    add column reference text;

-- Who runs the performances of an order: they see its open items.
create table organisers (
    payment_id uuid not null references payments,
    owner_id uuid not null,
    org_id text,
    primary key (payment_id, owner_id)
);

-- The tickets of an order, for those who decide about an open item.
create table issued_tickets (
    ticket_id uuid primary key,
    order_id uuid not null
);
create index issued_tickets_of_order on issued_tickets (order_id);

-- Orders of which nothing is due: they have no payment.
create table free_orders (
    order_id uuid primary key,
    customer_id uuid not null
);

-- What differs, stands or was refused, until somebody has decided.
create table open_items (
    item_id uuid primary key,
    kind text not null,
    -- What it is about, one open item each: our refund, or the provider's id.
    subject text not null,
    payment_id uuid not null references payments,
    order_id uuid not null,
    refund_id uuid,
    currency char(3) not null,
    amount numeric(15, 4) not null check (amount >= 0),
    -- A code, no personal data.
    reason text not null,
    since timestamptz not null,
    updated_at timestamptz not null,
    -- Null while it is open; afterwards how it ended.
    act text,
    acted_by uuid,
    reference text,
    done_at timestamptz check ((done_at is not null) = (act is not null))
);
create unique index open_items_once on open_items (kind, subject) where done_at is null;
create index open_items_of_order on open_items (order_id);
create index open_items_since on open_items (since) where done_at is null;
create index open_items_of_payment on open_items (payment_id) where done_at is null;

-- Comparisons with the provider: what it made and changed within a span.
create table comparisons (
    comparison_id uuid primary key,
    since timestamptz not null,
    until timestamptz not null,
    started_at timestamptz not null,
    -- Parts (intents, refunds, disputes) that are not read to their end.
    parts_left int not null,
    seen bigint not null default 0,
    -- Facts that nobody had told us.
    booked bigint not null default 0,
    finished_at timestamptz
);
create index comparisons_latest on comparisons (started_at desc);
