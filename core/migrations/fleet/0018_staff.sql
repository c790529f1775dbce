-- Who works at a venue: names and roles go to its nodes with the feed, accounts stay here.

create table staff (
    -- Random, made for this venue: journals name people by it.
    person_id uuid primary key,
    venue_id uuid not null references venues on delete restrict,
    -- Our own id of the identity provider's account.
    user_id uuid not null,
    name text not null,
    roles text[] not null
        check (cardinality(roles) > 0 and roles <@ array['STEWARD', 'SUPERVISOR', 'BOX_OFFICE']),
    version int not null,
    -- Who comes back after that is another person.
    ended_at timestamptz,
    added_by uuid not null,
    added_at timestamptz not null,
    changed_by uuid not null,
    changed_at timestamptz not null
);
-- Also whose person a sign-in is.
create unique index staff_account on staff (venue_id, user_id) where ended_at is null;
create index staff_of_venue on staff (venue_id, name);

-- Whether nodes scan only where somebody is signed in.
alter table venues add column shift_needed boolean not null default false;

-- Who was on shift at the scanner.
alter table journal_rows add column person_id uuid;

-- Sign-ins with the identity provider at a scanner. What a token can be had with stays in the memory of the
-- process that asks the provider; here is what its answers to the node need, whichever process gives them.
create table sign_ins (
    sign_in_id uuid primary key,
    node_id uuid not null references nodes on delete restrict,
    scanner_id uuid not null,
    state text not null check (state in
        ('beginning', 'open', 'granted', 'denied', 'expired', 'not_staff', 'unavailable')),
    user_code text,
    verification_uri text,
    verification_uri_complete text,
    expires_at timestamptz,
    person_id uuid references staff,
    begun_at timestamptz not null,
    -- One that nobody asks the provider of any more, because its process is gone, is over.
    asked_at timestamptz not null,
    check ((state = 'granted') = (person_id is not null)),
    check (state <> 'open' or num_nulls(user_code, verification_uri, verification_uri_complete,
        expires_at) = 0)
);
create index sign_ins_of_node on sign_ins (node_id, begun_at);
