-- What the worker still has to look after, as of the follower `work`: it need not read the whole log to start.
-- Only runs that were open at a checkpoint ever get a row; all of it follows from the log.

create table fastflow.open_run (
    run text collate "C" primary key,
    position bigint not null,
    phase text not null check (phase in ('waiting', 'active', 'over'))
) with (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02);
