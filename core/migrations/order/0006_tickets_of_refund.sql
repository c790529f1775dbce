-- A refund's tickets are looked up and let go by its id.
create index order_tickets_of_refund on order_tickets (refund_id) where refund_id is not null;
