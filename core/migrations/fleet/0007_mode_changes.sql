-- When a node said that it is in another mode than before, by the core's clock. An outage ends when
-- its node is Online again, which no scan has to tell.
create table mode_changes (
    node_id uuid not null references nodes on delete restrict,
    change int not null,
    mode text not null,
    heard_at timestamptz not null,
    primary key (node_id, change)
);
