-- Why a node's journal takes no row, as it last said: then it lets nobody in, whatever its mode is.
alter table node_health add column journal_fault text;
