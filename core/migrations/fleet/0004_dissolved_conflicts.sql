-- A conflict of which one side turns out never to have been shown is none any more. Its row stays,
-- so that older news of it, which may come later, says nothing.
alter table conflicts add dissolved boolean not null default false;
