create table users (
    user_id uuid primary key,
    iss text not null,
    sub text not null,
    first_seen_at timestamptz not null,
    unique (iss, sub)
);
