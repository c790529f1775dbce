-- Which form the venue's rows of performances have in the feed (digest algorithm). Those of the second form
-- stay good: the job `renew_rows` writes each performance ahead once more, with the names of its
-- categories. Tickets follow as ticketing gives them their codes.
alter table venues add column row_form smallint not null default 2;
