-- A ticket is suspended from the moment when its refund is asked for (DECISIONS 52).
alter table tickets
    -- The refund that it is under, or was revoked by.
    add column refund_id uuid,
    drop constraint tickets_status_check,
    add constraint tickets_status_check check (status in ('valid', 'suspended', 'revoked', 'used'));
