-- Until when a node whose certificate has expired may renew it by its key: somebody who runs the venue
-- has allowed it. Null: nobody has.
alter table nodes add column renewal_allowed_until timestamptz;
