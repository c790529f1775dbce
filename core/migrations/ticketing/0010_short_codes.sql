-- The short code that is printed under a ticket's QR code and stands for its token (ADMISSION 3.12), and its
-- hash at the ticket's venue, which nodes send in its place. Null: the release before has written the
-- ticket, and the job `give_codes` is to give it a code.
alter table tickets
    add column short_code text check (short_code ~ '^[0-9A-HJKMNP-TV-Z]{10}$'),
    add column short_code_hash bytea check (octet_length(short_code_hash) = 32),
    add check ((short_code is null) = (short_code_hash is null));
-- A second ticket of a venue with the same code is not written: whoever makes it tries again with another.
create unique index tickets_one_per_code on tickets (venue_id, short_code_hash);
create index tickets_without_code on tickets (performance_id)
    where short_code is null and revoked_reason is null;
