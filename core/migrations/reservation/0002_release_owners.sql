-- Whose hold a part is taken out of: inventory compares it.

alter table releases add column owner_id uuid;
